//! Who may panic: the library crates, or what they depend on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use crate::graph::{Graph, Node};

/// The library crates, and what stands for the application.
const OURS: [&str; 9] = [
    "dlms",
    "dlms_obis",
    "dlms_axdr",
    "dlms_hdlc",
    "dlms_wrapper",
    "dlms_iec62056_21",
    "dlms_security",
    "cosem_objects",
    "panic_free_image",
];

/// The crates whose own code refers to panicking symbols, on its own or within a function of ours.
const DEPENDENCIES: &[&str] = &[
    "aes",
    "aes_kw",
    "byteorder",
    "const_oid",
    "crypto_bigint",
    "crypto_common",
    "der",
    "digest",
    "ecdsa",
    "elliptic_curve",
    "heapless",
    "memchr",
    "nom",
    "num_traits",
    "p256",
    "p384",
    "primeorder",
    "rfc6979",
    "sec1",
    "sha1",
    "sha2",
    "subtle",
    "thiserror",
    "wnaf",
];

/// Functions of `core`, compiled before, that refer to panicking symbols.
const CORE: &[&str] = &[
    "<core::num::bignum::Big32x40>::mul_digits",
    "<core::num::bignum::Big32x40>::mul_pow2",
    "<str as core::fmt::Debug>::fmt",
    "core::fmt::float::float_to_decimal_common_exact::<f32>",
    "core::fmt::float::float_to_decimal_common_exact::<f64>",
    "core::fmt::float::float_to_exponential_common_shortest::<f32>",
    "core::fmt::float::float_to_exponential_common_shortest::<f64>",
    "core::num::flt2dec::digits_to_dec_str",
    "core::num::flt2dec::strategy::dragon::format_exact",
    "core::num::flt2dec::strategy::dragon::format_shortest",
    "core::num::flt2dec::strategy::dragon::mul_pow10",
    "core::num::flt2dec::strategy::grisu::format_exact_opt",
    "core::num::flt2dec::strategy::grisu::format_exact_opt::possibly_round",
    "core::num::flt2dec::strategy::grisu::format_shortest_opt",
    "core::unicode::printable::is_printable",
];

/// What a future says that is polled after it was ready.
const RESUMED: &str = "core::panicking::panic_const::panic_const_async_fn_resumed";

/// What was found for one target.
pub struct Verdict {
    pub findings: Vec<Finding>,
    /// How many functions were looked at, and how many of which dependency may panic.
    functions: usize,
    futures: usize,
    dependencies: BTreeMap<String, usize>,
    core: BTreeSet<String>,
}

/// A function that must not, but may, panic.
#[derive(Debug)]
pub struct Finding {
    pub function: String,
    symbols: Vec<String>,
    locations: Vec<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} refers to {} ({})", self.function, self.symbols.join(", "), self.locations.join(", "))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { functions, futures, dependencies, core, .. } = self;
        write!(f, "{} of {functions} functions may panic", self.findings.len())?;
        write!(f, "; {futures} futures say so when polled after their end; dependencies: ")?;
        let names: Vec<_> = dependencies.iter().map(|(name, count)| format!("{name} {count}")).collect();
        write!(f, "{}; core: {}", names.join(", "), core.len())?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n    {finding}"))
    }
}

/// Looks at every function that was compiled.
pub fn judge(graph: &Graph) -> Verdict {
    let mut verdict = Verdict {
        findings: Vec::new(),
        functions: 0,
        futures: 0,
        dependencies: BTreeMap::new(),
        core: reached_core(graph),
    };
    for node in graph.nodes.iter().filter(|node| node.is_code && !is_standard(&node.archive)) {
        let home = home(&node.name);
        let is_ours = OURS.contains(&&*home)
            || OURS.contains(&&*node.archive) && (is_standard(&home) || home.is_empty());
        verdict.functions += usize::from(is_ours);
        let mut symbols = panicking(graph, node);
        if symbols.is_empty() {
            continue;
        }
        let mut guilty = if is_ours { BTreeSet::new() } else { BTreeSet::from([dependency(&home, node)]) };
        let locations = graph.locations(node);
        if is_ours {
            guilty.extend(locations.iter().map(|location| writer(location)));
        }
        if is_ours && symbols.iter().any(|symbol| symbol == RESUMED) {
            symbols.retain(|symbol| symbol != RESUMED);
            verdict.futures += 1;
            if symbols.is_empty() {
                continue;
            }
        }
        let exempt = guilty.iter().all(|name| DEPENDENCIES.contains(&&**name));
        for name in guilty.iter().filter(|name| !name.is_empty()) {
            *verdict.dependencies.entry(name.clone()).or_default() += 1;
        }
        if !exempt || guilty.is_empty() {
            verdict.findings.push(Finding { function: readable(&node.name), symbols, locations });
        }
    }
    for function in verdict.core.iter().filter(|function| !CORE.contains(&&***function)) {
        let (function, locations) = (function.clone(), Vec::new());
        verdict.findings.push(Finding {
            function,
            symbols: vec!["a panicking symbol".to_owned()],
            locations,
        });
    }
    verdict
}

/// Exceptions that nothing is in need of.
pub fn unused(verdicts: &[Verdict]) -> Vec<&'static str> {
    let is_used = |name: &&&str| {
        !verdicts
            .iter()
            .any(|verdict| verdict.dependencies.contains_key(**name) || verdict.core.contains(**name))
    };
    DEPENDENCIES.iter().chain(CORE).filter(is_used).copied().collect()
}

/// The functions of `core` that panic and that a function of ours refers to, by whatever way within `core`.
fn reached_core(graph: &Graph) -> BTreeSet<String> {
    let is_ours = |node: &Node| OURS.contains(&&*node.archive);
    let mut queue: VecDeque<_> =
        (0..graph.nodes.len()).filter(|place| is_ours(&graph.nodes[*place])).collect();
    let mut seen: BTreeSet<_> = queue.iter().copied().collect();
    let mut found = BTreeSet::new();
    while let Some(place) = queue.pop_front() {
        let node = &graph.nodes[place];
        if is_standard(&node.archive) && node.is_code && !panicking(graph, node).is_empty() {
            found.insert(readable(&node.name));
        }
        for next in graph.neighbours(node) {
            let neighbour = &graph.nodes[next];
            if is_standard(&neighbour.archive)
                && !is_panicking(&readable(&neighbour.name))
                && seen.insert(next)
            {
                queue.push_back(next);
            }
        }
    }
    found
}

fn panicking(graph: &Graph, node: &Node) -> Vec<String> {
    let mut symbols: Vec<_> =
        graph.references(node).map(readable).filter(|name| is_panicking(name)).collect();
    symbols.sort();
    symbols.dedup();
    symbols
}

/// Whether a function does nothing but panic.
fn is_panicking(name: &str) -> bool {
    // `slice_index_fail`, `unwrap_failed`, `len_mismatch_fail`, `panic_already_borrowed`, …
    let last = name.split("::<").next().unwrap_or(name).rsplit("::").next().unwrap_or(name);
    name.starts_with("core::")
        && (name.starts_with("core::panicking::")
            || last.ends_with("_fail")
            || last.ends_with("_failed")
            || last.starts_with("panic_"))
}

fn is_standard(name: &str) -> bool {
    ["core", "compiler_builtins"].contains(&name)
}

fn dependency(home: &str, node: &Node) -> String {
    if is_standard(home) || home.is_empty() { node.archive.clone() } else { home.to_owned() }
}

/// The dependency in whose source a place is; nothing for our own and for the standard library, which only panics where
/// it is told to by whom it is compiled into.
fn writer(location: &str) -> String {
    let Some((_, path)) = location.split_once("/registry/src/") else { return String::new() };
    let package = path.split('/').nth(1).unwrap_or_default();
    let name = package.rsplit_once('-').map_or(package, |(name, _)| name);
    name.replace('-', "_")
}

fn readable(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// The crate in which a function is written: the first crate root of its mangled name.
fn home(mangled: &str) -> String {
    let mut rest = mangled.strip_prefix("_R").unwrap_or_default();
    while let Some(first) = rest.chars().next() {
        if first == 'C' {
            let name = &rest[1..];
            let name = name.strip_prefix('s').and_then(|it| it.split_once('_')).map_or(name, |(_, it)| it);
            return identifier(name).map_or_else(String::new, |(name, _)| name.to_owned());
        }
        rest = match identifier(rest) {
            Some((_, after)) => after,
            None => &rest[1..],
        };
    }
    String::new()
}

/// A length in decimal digits, `_` where the name would go on with a digit, and the name.
fn identifier(mangled: &str) -> Option<(&str, &str)> {
    let digits = mangled.bytes().take_while(u8::is_ascii_digit).count();
    let length: usize = mangled.get(..digits)?.parse().ok()?;
    let name = mangled.get(digits..)?;
    name.strip_prefix('_').unwrap_or(name).split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_where_a_function_was_written() {
        assert_eq!(home("_RNvMs_NtCsg20R7Nmflyz_9dlms_hdlc8deframerNtB4_9Candidate7examine"), "dlms_hdlc");
        assert_eq!(home("_RNvNtNtCs7ldSeZOOJos_4core5slice5index16slice_index_fail"), "core");
        assert_eq!(home("OUTLINED_FUNCTION_0"), "");
    }

    #[test]
    fn places_tell_who_wrote_them() {
        assert_eq!(
            writer("/x/.cargo/registry/src/index.crates.io-19/crypto-bigint-0.7.10/src/a.rs:1"),
            "crypto_bigint"
        );
        assert_eq!(writer("/rustc/59/library/core/src/time.rs:201"), "");
    }
}
