//! Who may panic: the library crates, or what they depend on.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use crate::graph::{Graph, Node};

/// The library crates.
pub const LIBRARIES: [&str; 8] = [
    "dlms",
    "dlms_obis",
    "dlms_axdr",
    "dlms_hdlc",
    "dlms_wrapper",
    "dlms_iec62056_21",
    "dlms_security",
    "cosem_objects",
];

/// What the code of a dependency may do, on its own or within a function of ours.
#[derive(Clone, Copy, PartialEq)]
enum May {
    /// Panic where sums are checked: its own sums are right, but the compiler does not see it.
    Overflow,
    Panic,
}

/// The dependencies that this says nothing about.
const DEPENDENCIES: &[(&str, May)] = &[
    ("aes", May::Panic),
    ("aes_kw", May::Panic),
    ("cipher", May::Panic),
    ("const_oid", May::Panic),
    ("crypto_bigint", May::Panic),
    ("der", May::Panic),
    ("elliptic_curve", May::Panic),
    ("heapless", May::Overflow),
    ("nom", May::Panic),
    ("rfc6979", May::Panic),
    ("sec1", May::Panic),
    ("subtle", May::Panic),
    ("wnaf", May::Panic),
];

/// A function of ours that does nothing but call `aes_kw`, whose iterators count in code of `core`.
const CALLS: &str = "as dlms_security::provider::CryptoProvider>::wrap";

/// `bitflags!` gives each set of flags a type that nobody names but itself, and that one a parser of texts.
const UNNAMED: &str = "InternalBitFlags as core::str::traits::FromStr>::from_str";

/// Functions of `core`, compiled before, that refer to panicking symbols.
const CORE: &[&str] = &[
    "<core::num::bignum::Big32x40>::mul_digits",
    "<core::num::bignum::Big32x40>::mul_digits::mul_inner",
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

impl Verdict {
    /// Takes the functions of a crate away.
    pub fn take(&mut self, name: &str) -> Vec<String> {
        let prefix = format!("{name}::");
        let is_its = |finding: &mut Finding| finding.function.starts_with(&prefix);
        let mut taken: Vec<_> =
            self.findings.extract_if(.., is_its).map(|finding| finding.function).collect();
        taken.sort();
        taken
    }
}

/// Looks at every function that another crate can call, and at whatever these refer to.
pub fn judge(graph: &Graph) -> Verdict {
    let mut verdict = Verdict {
        findings: Vec::new(),
        functions: 0,
        futures: 0,
        dependencies: BTreeMap::new(),
        core: BTreeSet::new(),
    };
    for node in reached(graph).into_iter().map(|place| &graph.nodes[place]).filter(|node| node.is_code) {
        if is_standard(&node.archive) {
            if !panicking(graph, node).is_empty() {
                verdict.core.insert(readable(&node.name));
            }
            continue;
        }
        let home = home(&node.name);
        let is_ours = is_ours(&home) || is_ours(&node.archive) && (is_standard(&home) || home.is_empty());
        verdict.functions += usize::from(is_ours);
        let mut symbols = panicking(graph, node);
        if is_ours && symbols.iter().any(|symbol| symbol == RESUMED) {
            symbols.retain(|symbol| symbol != RESUMED);
            verdict.futures += 1;
        }
        if symbols.is_empty() {
            continue;
        }
        let (name, locations) = (readable(&node.name), graph.locations(node));
        let writers: BTreeSet<_> = if is_ours {
            let is_counted =
                |location: &&String| !(name.ends_with(CALLS) && location.contains("/iter/adapters/"));
            locations.iter().filter(is_counted).map(|location| writer(location)).collect()
        } else {
            BTreeSet::from([dependency(&home, node)])
        };
        for name in writers.iter().filter(|name| !name.is_empty()) {
            *verdict.dependencies.entry(name.clone()).or_default() += 1;
        }
        if !is_exempt(&writers, &symbols) {
            verdict.findings.push(Finding { function: name, symbols, locations });
        }
    }
    for function in verdict.core.iter().filter(|function| !CORE.contains(&&***function)) {
        let (function, symbols) = (function.clone(), vec!["a panicking symbol".to_owned()]);
        verdict.findings.push(Finding { function, symbols, locations: Vec::new() });
    }
    verdict
}

/// Whether all that refers to panicking symbols was written by dependencies, in which these symbols are expected.
fn is_exempt(writers: &BTreeSet<String>, symbols: &[String]) -> bool {
    let allowed: Option<Vec<_>> = writers
        .iter()
        .map(|writer| DEPENDENCIES.iter().find(|(name, _)| name == writer).map(|(_, may)| *may))
        .collect();
    let Some(allowed) = allowed else { return false };
    let is_overflow = |symbol: &String| symbol.ends_with("_overflow");
    allowed.contains(&May::Panic) || !allowed.is_empty() && symbols.iter().all(is_overflow)
}

/// Exceptions that nothing is in need of.
pub fn unused(verdicts: &[Verdict]) -> Vec<&'static str> {
    let is_unused = |name: &&'static str| {
        !verdicts
            .iter()
            .any(|verdict| verdict.dependencies.contains_key(*name) || verdict.core.contains(*name))
    };
    DEPENDENCIES.iter().map(|(name, _)| *name).chain(CORE.iter().copied()).filter(is_unused).collect()
}

/// Whatever of ours another crate can name, and all that it refers to, by whatever way. What does nothing but panic is
/// not entered.
fn reached(graph: &Graph) -> Vec<usize> {
    let is_root =
        |node: &Node| node.is_global && is_ours(&node.archive) && !readable(&node.name).contains(UNNAMED);
    let mut reached: Vec<_> = (0..graph.nodes.len()).filter(|place| is_root(&graph.nodes[*place])).collect();
    let mut seen: HashSet<_> = reached.iter().copied().collect();
    let mut next = 0;
    while let Some(&place) = reached.get(next) {
        for neighbour in graph.neighbours(&graph.nodes[place]) {
            if !is_panicking(&readable(&graph.nodes[neighbour].name)) && seen.insert(neighbour) {
                reached.push(neighbour);
            }
        }
        next += 1;
    }
    reached
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

/// Whether a crate is a library crate, what stands for the application, or what must be found.
fn is_ours(name: &str) -> bool {
    LIBRARIES.contains(&name) || name.starts_with("panic_free_")
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

/// The crate in which a function is written: the root of the path in its mangled name, for a method that of its
/// `impl`. Nothing if it is not known.
fn home(mangled: &str) -> String {
    let Some(symbol) = mangled.strip_prefix("_R") else { return String::new() };
    root(symbol, symbol).unwrap_or_default().to_owned()
}

fn root<'m>(symbol: &'m str, path: &'m str) -> Option<&'m str> {
    let (tag, rest) = path.split_at_checked(1)?;
    match tag {
        "C" => identifier(after_disambiguator(rest)?).map(|(name, _)| name),
        // A namespace comes before the path.
        "N" => root(symbol, rest.get(1..)?),
        "M" | "X" => root(symbol, after_disambiguator(rest)?),
        "I" | "Y" => root(symbol, rest),
        "B" => {
            let at = number(rest.split_once('_')?.0)?;
            (at < symbol.len() - path.len()).then(|| root(symbol, symbol.get(at..)?))?
        }
        _ => None,
    }
}

fn after_disambiguator(mangled: &str) -> Option<&str> {
    match mangled.strip_prefix('s') {
        Some(rest) => rest.split_once('_').map(|(_, rest)| rest),
        None => Some(mangled),
    }
}

/// A number to the base 62, one less than what it stands for.
fn number(digits: &str) -> Option<usize> {
    let mut value = 0usize;
    for digit in digits.bytes() {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'z' => digit - b'a' + 10,
            b'A'..=b'Z' => digit - b'A' + 36,
            _ => return None,
        };
        value = value.checked_mul(62)?.checked_add(digit.into())?;
    }
    value.checked_add(usize::from(!digits.is_empty()))
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
        assert_eq!(
            home(
                "_RNvMs3_NtCsNtJjhPjryV_13dlms_security10rustcryptoINtB5_9KeystreamNtCs1JXZzLpZKOQ_3aes9Aes128EncE5applyCshY_16panic_free_image"
            ),
            "dlms_security"
        );
        assert_eq!(
            home(
                "_RNvXNtCsaC4EmXZCRSP_6digest6digestNtCs43NNKIK8KqN_4sha26Sha256NtB2_6Digest8finalizeCshY_5image"
            ),
            "digest"
        );
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
