//! no-floating-tag
