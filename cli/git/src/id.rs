//! Names of objects.

use std::fmt;

use git2::{ObjectType, Oid};

/// Text that is not 40 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an object id: {}", wanted(.text))]
pub struct IdError {
    /// The text as given.
    pub text: String,
}

fn wanted(text: &str) -> &'static str {
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        "it is of SHA-256, which is not supported"
    } else {
        "40 hexadecimal digits are expected"
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) Oid);

        impl $name {
            /// Reads 40 hexadecimal digits. Nothing is looked up.
            pub fn parse(text: &str) -> Result<$name, IdError> {
                let whole = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
                let id = whole.then(|| Oid::from_str(text).ok()).flatten();
                id.map($name).ok_or_else(|| IdError { text: text.to_owned() })
            }

            /// The first ten digits, for people.
            pub fn short(&self) -> String {
                self.0.to_string()[..10].to_owned()
            }
        }

        /// All 40 hexadecimal digits.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

id! {
    /// The name of a commit.
    CommitId
}
id! {
    /// The name of a file's bytes.
    BlobId
}

impl BlobId {
    /// The name these bytes have in Git. Nothing is stored.
    pub fn of(bytes: &[u8]) -> BlobId {
        BlobId(Oid::hash_object(ObjectType::Blob, bytes).expect("bytes in memory can be hashed"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_id_is_forty_digits() {
        let text = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        assert_eq!(CommitId::parse(text).unwrap().to_string(), text);
        assert_eq!(CommitId::parse(text).unwrap().short(), "4b825dc642");
        for bad in ["", "4b825dc", "main", &format!("{text}0"), &text.replace('4', "g")] {
            assert_eq!(CommitId::parse(bad), Err(IdError { text: bad.to_owned() }));
        }
    }

    #[test]
    fn a_blob_has_the_name_that_git_gives_it() {
        // `printf 'hello\n' | git hash-object --stdin`
        assert_eq!(BlobId::of(b"hello\n").to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
