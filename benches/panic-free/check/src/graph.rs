//! Which section of which object refers to which: what a linker would keep, without linking. Each function and each
//! constant has a section of its own.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionKind, SymbolKind, SymbolSection};

#[derive(Default)]
pub struct Graph {
    pub nodes: Vec<Node>,
    /// Where a global name is defined.
    by_name: HashMap<String, usize>,
}

/// A section.
pub struct Node {
    /// The crate in whose archive it is.
    pub archive: String,
    /// Its name as the compiler writes it.
    pub name: String,
    pub is_code: bool,
    /// Whether another crate can name it.
    pub is_global: bool,
    edges: Vec<Edge>,
    /// What a constant holds, and what is added to its last reference.
    octets: Vec<u8>,
    addend: i64,
}

enum Edge {
    Here(usize),
    Name(String),
}

impl Graph {
    /// Takes the objects of an archive in.
    pub fn read(&mut self, archive: &str, path: &Path) -> Result<()> {
        let octets = std::fs::read(path).with_context(|| path.display().to_string())?;
        for member in ArchiveFile::parse(&*octets)?.members() {
            let member = member?;
            // What is in the metadata is for the compiler alone.
            if member.name().ends_with(b".o") {
                let file = object::File::parse(member.data(&*octets)?)?;
                self.object(archive, &file)?;
            }
        }
        Ok(())
    }

    fn object(&mut self, archive: &str, file: &object::File<'_>) -> Result<()> {
        let mut places = HashMap::new();
        for section in file.sections() {
            use SectionKind::{
                Data, ReadOnlyData, ReadOnlyDataWithRel, ReadOnlyString, Text, UninitializedData,
            };
            let is_code = section.kind() == Text;
            let octets = match section.kind() {
                Text | UninitializedData => Vec::new(),
                Data | ReadOnlyData | ReadOnlyDataWithRel | ReadOnlyString => section.data()?.to_vec(),
                _ => continue,
            };
            places.insert(section.index(), self.nodes.len());
            let (archive, name) = (archive.replace('-', "_"), String::new());
            let is_global = false;
            self.nodes.push(Node { archive, name, is_code, is_global, edges: Vec::new(), octets, addend: 0 });
        }
        for symbol in file.symbols() {
            let SymbolSection::Section(section) = symbol.section() else { continue };
            let Some(&place) = places.get(&section) else { continue };
            let name = symbol.name()?;
            // `$t`, `.L0`, …: marks within a section.
            if matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File)
                || name.is_empty()
                || name.starts_with(['$', '.'])
            {
                continue;
            }
            if symbol.is_global() {
                self.nodes[place].is_global = true;
                self.by_name.entry(name.to_owned()).or_insert(place);
            }
            if self.nodes[place].name.is_empty() {
                self.nodes[place].name = name.to_owned();
            }
        }
        for section in file.sections() {
            let Some(&place) = places.get(&section.index()) else { continue };
            for (_, relocation) in section.relocations() {
                let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
                let symbol = file.symbol_by_index(symbol)?;
                let edge = match symbol.section() {
                    SymbolSection::Section(section) => places.get(&section).map(|place| Edge::Here(*place)),
                    _ => Some(symbol.name()?.to_owned()).filter(|name| !name.is_empty()).map(Edge::Name),
                };
                self.nodes[place].addend = relocation.addend() + symbol.address() as i64;
                self.nodes[place].edges.extend(edge);
            }
        }
        Ok(())
    }

    /// The names that a node refers to.
    pub fn references<'g>(&'g self, node: &'g Node) -> impl Iterator<Item = &'g str> {
        node.edges.iter().map(|edge| match edge {
            Edge::Here(place) => &*self.nodes[*place].name,
            Edge::Name(name) => name,
        })
    }

    /// The nodes that a node refers to.
    pub fn neighbours<'g>(&'g self, node: &'g Node) -> impl Iterator<Item = usize> + 'g {
        node.edges.iter().filter_map(|edge| match edge {
            Edge::Here(place) => Some(*place),
            Edge::Name(name) => self.by_name.get(name).copied(),
        })
    }

    /// The places in the source that a function names when it panics: the `core::panic::Location`s that it refers to.
    pub fn locations(&self, node: &Node) -> Vec<String> {
        let mut all: Vec<_> =
            self.neighbours(node).filter_map(|place| self.location(&self.nodes[place])).collect();
        all.sort();
        all.dedup();
        all
    }

    /// A file's name and its length, a line, a column; each four octets.
    fn location(&self, node: &Node) -> Option<String> {
        let word = |at: usize| Some(u32::from_le_bytes(*node.octets.get(at..)?.first_chunk()?));
        let (16, 1) = (node.octets.len(), node.edges.len()) else { return None };
        let file = &self.nodes[self.neighbours(node).next()?];
        let start = usize::try_from(i64::from(word(0)?) + node.addend).ok()?;
        let name = file.octets.get(start..)?.get(..word(4)? as usize)?;
        let name = std::str::from_utf8(name).ok().filter(|name| name.ends_with(".rs"))?;
        Some(format!("{name}:{}", word(8)?))
    }
}
