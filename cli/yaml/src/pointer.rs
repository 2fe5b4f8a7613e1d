//! Every node of a tree by its JSON pointer.

use crate::{FileId, Mark, Node, Value};

impl Node {
    /// The RFC 6901 pointer and the mark of every node below this one and of
    /// itself (`""`), parents first, in the order of the file. A node without a
    /// place stands where the first one below it does, or else its parent.
    pub fn pointers(&self) -> Vec<(String, Mark)> {
        let mut found = Vec::new();
        self.collect(&mut String::new(), Mark::NONE, &mut found);
        found
    }

    /// The mark of this node or of the first below it that has one.
    fn first_mark(&self) -> Option<Mark> {
        if self.mark.file != FileId::NONE {
            return Some(self.mark);
        }
        match &self.value {
            Value::Scalar(_) => None,
            Value::Sequence(items) => items.iter().find_map(Node::first_mark),
            Value::Mapping(entries) => entries.iter().find_map(|(_, value)| value.first_mark()),
        }
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

    fn collect(&self, pointer: &mut String, parent: Mark, found: &mut Vec<(String, Mark)>) {
        let mark = self.first_mark().unwrap_or(parent);
        found.push((pointer.clone(), mark));
        let length = pointer.len();
        let mut child = |token: &str, node: &Node| {
            pointer.push('/');
            pointer.push_str(token);
            node.collect(pointer, mark, found);
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
    use crate::{FileId, Mark, Node, read};

    #[test]
    fn a_node_without_a_place_stands_near_others() {
        let mut root = read(FileId(0), b"a: 1\nb:\n  c: 2\n").unwrap().remove(0).root.unwrap();
        let b = root.get_mut("b").unwrap();
        b.mark = Mark::NONE;
        root.set("d", Node::string("new"));
        let lines: Vec<u32> = root.pointers().iter().map(|(_, mark)| mark.line).collect();
        assert_eq!(lines, [1, 1, 3, 3, 1]);
    }

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
