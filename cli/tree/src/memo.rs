//! Results that are made again only where what they were made from changed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::{Answers, Recorded, Tree, TreeError};

/// Keeps what a function made of a tree, with everything that it asked. Asked
/// about another tree that answers all of that alike, the function would make
/// the same, so it is shared and not made again.
///
/// The function must depend on nothing but its key and the tree.
pub struct Memo<K, V> {
    kept: RefCell<BTreeMap<K, Vec<Kept<V>>>>,
    made: Cell<usize>,
    shared: Cell<usize>,
}

/// A result, and what it was made from.
pub struct Kept<V> {
    /// The result.
    pub value: Rc<V>,
    /// What was asked of the tree.
    pub answers: Rc<Answers>,
}

impl<V> Clone for Kept<V> {
    fn clone(&self) -> Kept<V> {
        Kept { value: self.value.clone(), answers: self.answers.clone() }
    }
}

impl<K: Ord, V> Default for Memo<K, V> {
    fn default() -> Memo<K, V> {
        Memo { kept: RefCell::default(), made: Cell::new(0), shared: Cell::new(0) }
    }
}

impl<K: Ord, V> Memo<K, V> {
    /// What `make` gives for `tree`, made now or earlier. Errors are not kept.
    ///
    /// # Errors
    ///
    /// Those of `make`; what it read and can be read no more, by `unreadable`.
    pub fn get<E>(
        &self,
        key: K,
        tree: &dyn Tree,
        make: impl FnOnce(&dyn Tree) -> Result<V, E>,
        unreadable: impl FnOnce(TreeError) -> E,
    ) -> Result<Kept<V>, E> {
        if let Some(kept) = self.find(&key, tree) {
            self.shared.set(self.shared.get() + 1);
            return Ok(kept);
        }
        let recorded = Recorded::new(tree);
        let value = make(&recorded)?;
        let answers = Answers::of(recorded.into_readings(), tree).map_err(unreadable)?;
        let kept = Kept { value: Rc::new(value), answers: Rc::new(answers) };
        self.kept.borrow_mut().entry(key).or_default().push(kept.clone());
        self.made.set(self.made.get() + 1);
        Ok(kept)
    }

    /// An earlier result that holds in `tree`, too.
    pub fn find(&self, key: &K, tree: &dyn Tree) -> Option<Kept<V>> {
        let kept = self.kept.borrow();
        kept.get(key)?.iter().find(|kept| kept.answers.hold_in(tree)).cloned()
    }

    /// How many results were made.
    pub fn made(&self) -> usize {
        self.made.get()
    }

    /// How many were shared instead.
    pub fn shared(&self) -> usize {
        self.shared.get()
    }
}
