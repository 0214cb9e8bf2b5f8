//! What octets mean.

use core::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::problem::Problem;
use crate::text;

/// What octets mean: a JSON document, and as text a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    json: Value,
    problems: Vec<Problem>,
    refused: bool,
}

impl Explanation {
    pub(crate) fn new(json: Map<String, Value>) -> Self {
        Self { json: Value::Object(json), problems: Vec::new(), refused: false }
    }

    /// Octets that are refused as a whole.
    pub(crate) fn refused(problem: Problem) -> Self {
        let mut json = Map::new();
        json.insert("kind".into(), "error".into());
        if let Value::Object(fields) = problem.json() {
            json.extend(fields);
        }
        Self { json: Value::Object(json), problems: vec![problem], refused: true }
    }

    /// An exchange in which something is wrong.
    pub(crate) fn with_problems(self, problems: Vec<Problem>) -> Self {
        Self { problems, ..self }
    }

    /// The document.
    pub const fn json(&self) -> &Value {
        &self.json
    }

    /// Why the octets are refused as a whole, if they are.
    pub fn error(&self) -> Option<&Problem> {
        self.problems.first().filter(|_| self.refused)
    }

    /// Everything that is wrong: one problem if the octets are refused as a whole, those of the single messages in an
    /// exchange, and those that were put up with.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether the framing is one that is not covered yet.
    pub fn is_not_covered(&self) -> bool {
        self.error().is_some_and(|problem| problem.reason == "not-covered")
    }
}

impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write_tree(f, &self.json)
    }
}
