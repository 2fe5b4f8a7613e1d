//! Every node of a tree by its JSON pointer.

use crate::{Mark, Node, Value};

impl Node {
    /// The RFC 6901 pointer and the mark of every node below this one and of
    /// itself (`""`), parents first, in the order of the file.
    pub fn pointers(&self) -> Vec<(String, Mark)> {
        let mut found = Vec::new();
        self.collect(&mut String::new(), &mut found);
        found
    }

    /// The node at an RFC 6901 pointer.
    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |node, token| match &node.value {
            Value::Scalar(_) => None,
            // `-` and numbers with leading zeros are no index.
            Value::Sequence(items) if token == "0" || !token.starts_with('0') => {
                token.parse::<usize>().ok().and_then(|index| items.get(index))
            }
            Value::Sequence(_) => None,
            Value::Mapping(_) => node.get(&token.replace("~1", "/").replace("~0", "~")),
        })
    }

    fn collect(&self, pointer: &mut String, found: &mut Vec<(String, Mark)>) {
        found.push((pointer.clone(), self.mark));
        let length = pointer.len();
        let mut child = |token: &str, node: &Node| {
            pointer.push('/');
            pointer.push_str(token);
            node.collect(pointer, found);
            pointer.truncate(length);
        };
        match &self.value {
            Value::Scalar(_) => {}
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    child(&index.to_string(), item);
                }
            }
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    let token = key.text().unwrap_or("null").replace('~', "~0").replace('/', "~1");
                    child(&token, value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::{FileId, read};

    #[test]
    fn pointers_lead_back_to_their_nodes() {
        let text = "a/b: [x, {~c: y}]\nd: {e: 1}\n";
        let documents = read(FileId(0), text.as_bytes()).unwrap();
        let root = documents[0].root.as_ref().unwrap();
        let pointers = root.pointers();
        let names: Vec<&str> = pointers.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(names, ["", "/a~1b", "/a~1b/0", "/a~1b/1", "/a~1b/1/~0c", "/d", "/d/e"]);
        for (pointer, mark) in pointers {
            assert_eq!(root.pointer(&pointer).unwrap().mark, mark, "{pointer}");
        }
        for absent in ["x", "/a~1b/01", "/a~1b/-", "/a~1b/2", "/d/e/f", "/+0"] {
            assert!(root.pointer(absent).is_none(), "{absent}");
        }
    }
}
