//! `include/twinguard.h` is what the generator makes of `ffi/`, and every function in it says all
//! that a caller needs to know. `TWINGUARD_ACCEPT_HEADER=1 cargo test --test header` rewrites it.

use std::fs;
use std::path::{Path, PathBuf};

const ACCEPT: &str = "TWINGUARD_ACCEPT_HEADER";

/// What a static program links beside `libtwinguard.a`: `rustc --print native-static-libs`.
const STATIC_LIBS: &str = "-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The header as the sources say it should be.
fn generate() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let parts: Vec<&str> = version.split('.').collect();
    let fill = |path: &str| {
        let soname = if parts[0] == "0" {
            format!("0.{}", parts[1])
        } else {
            parts[0].to_owned()
        };
        read(path)
            .replace("@VERSION@", version)
            .replace("@MAJOR@", parts[0])
            .replace("@MINOR@", parts[1])
            .replace("@PATCH@", parts[2])
            .replace("@SONAME@", &soname)
            .replace("@STATIC_LIBS@", STATIC_LIBS)
    };
    let mut config = cbindgen::Config::from_file(root().join("ffi/cbindgen.toml")).unwrap();
    config.header = Some(fill("ffi/header.h.in"));
    config.after_includes = Some(format!("\n{}", fill("ffi/preamble.h.in").trim_end()));
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in sources() {
        builder = builder.with_src(file);
    }
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    let guard_end = "\n#endif  /* TWINGUARD_H */";
    let trailer = format!("\n{}{guard_end}", fill("ffi/trailer.h.in"));
    tidy(
        &String::from_utf8(text)
            .unwrap()
            .replacen(guard_end, &trailer, 1),
    )
}

/// No blanks at line ends, and comments of one line on one line.
fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut out = String::new();
    let mut rest = lines.as_slice();
    while let [line, tail @ ..] = rest {
        rest = tail;
        if let ("/**", [only, end, after @ ..]) = (line.trim_start(), tail)
            && end.trim_start() == "*/"
        {
            let words = only.trim_start().trim_start_matches('*');
            out += &format!("{line}{words} */\n");
            rest = after;
        } else {
            out += &format!("{line}\n");
        }
    }
    out
}

/// The crate's modules in the order of `lib.rs`, which is the order of the header.
fn sources() -> Vec<PathBuf> {
    let lib = read("ffi/src/lib.rs");
    let modules = lib.lines().filter_map(|line| {
        line.strip_prefix("pub mod ")
            .and_then(|rest| rest.strip_suffix(';'))
    });
    modules
        .map(|module| root().join(format!("ffi/src/{module}.rs")))
        .collect()
}

#[test]
fn the_committed_header_is_what_the_sources_make() {
    let path = root().join("include/twinguard.h");
    let made = generate();
    if std::env::var_os(ACCEPT).is_some() {
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let difference = committed
        .lines()
        .zip(made.lines())
        .position(|(old, new)| old != new);
    assert!(
        committed == made,
        "include/twinguard.h differs from ffi/ (first at line {:?}): run {ACCEPT}=1 cargo test -p \
         twinguard-tests --test header and commit the result",
        difference.map(|index| index + 1),
    );
}

/// A function of the header: its doc block and its declaration.
struct Function {
    name: String,
    parameters: Vec<String>,
    /// Its last parameter takes the detail of a failure.
    fallible: bool,
    doc: Vec<String>,
}

fn functions(header: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let mut doc: Vec<String> = Vec::new();
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        match line.trim_start() {
            "/**" => doc.clear(),
            text if line.starts_with(' ') && text.starts_with('*') => {
                doc.push(
                    text.trim_start_matches('*')
                        .trim_start_matches('/')
                        .trim()
                        .to_owned(),
                );
            }
            text if text.contains(" twinguard_") || text.contains("*twinguard_") => {
                let mut declaration = line.trim().to_owned();
                while !declaration.ends_with([';', '{', '\\']) {
                    declaration += lines.next().unwrap_or(";").trim();
                }
                found.extend(function(&declaration, &doc));
            }
            _ => {}
        }
    }
    found
}

fn function(declaration: &str, doc: &[String]) -> Option<Function> {
    if declaration.starts_with("typedef") || declaration.starts_with("static") {
        return None;
    }
    let (head, rest) = declaration.split_once('(')?;
    let list = rest.strip_suffix(");")?;
    let start = head.rfind([' ', '*'])? + 1;
    let name = &head[start..];
    let parameter = |text: &str| {
        text.rsplit([' ', '*'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let parameters = list
        .split(',')
        .filter(|p| p.trim() != "void")
        .map(parameter)
        .collect();
    Some(Function {
        name: name.to_owned(),
        parameters,
        fallible: list.ends_with("**error"),
        doc: doc.to_vec(),
    })
}

/// What is missing in a doc block.
fn gaps(function: &Function) -> Vec<String> {
    let doc = &function.doc;
    let has = |start: &str| doc.iter().any(|line| line.starts_with(start));
    let mut gaps = Vec::new();
    let mut need = |there: bool, what: String| {
        if !there {
            gaps.push(format!("{}: {what}", function.name));
        }
    };
    let text: Vec<&String> = doc
        .iter()
        .take_while(|line| !line.starts_with('@'))
        .collect();
    need(
        text.first().is_some_and(|line| !line.is_empty()),
        "no first sentence".into(),
    );
    let blank = text.iter().position(|line| line.is_empty());
    let described = blank.is_some_and(|at| text.iter().skip(at).any(|line| !line.is_empty()));
    need(described, "does not say what it is for".into());
    for parameter in &function.parameters {
        let is_output =
            parameter.starts_with("out_") || (function.fallible && parameter == "error");
        let direction = if is_output { "out" } else { "in" };
        let wanted = format!("@param[{direction}] {parameter} ");
        need(has(&wanted), format!("no {wanted}"));
    }
    let documented = doc.iter().filter(|line| line.starts_with("@param")).count();
    need(
        documented == function.parameters.len(),
        "documents parameters it has not".into(),
    );
    if function.fallible {
        need(
            has("@retval TWINGUARD_OK "),
            "no @retval TWINGUARD_OK".into(),
        );
        need(
            doc.iter().any(|l| l.starts_with("@retval TWINGUARD_ERR_")),
            "no failure".into(),
        );
    } else {
        need(has("@return "), "no @return".into());
    }
    for part in ["@note Ownership: ", "@note Threads: ", "@since ", "@see "] {
        need(has(part), format!("no {part}"));
    }
    gaps
}

#[test]
fn every_function_says_all_a_caller_needs() {
    let header = generate();
    let functions = functions(&header);
    assert_eq!(
        functions.len(),
        symbols().len(),
        "functions found in the header"
    );
    let gaps: Vec<String> = functions.iter().flat_map(gaps).collect();
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
}

#[test]
fn what_a_doc_block_names_exists() {
    let header = generate();
    let names: Vec<String> = functions(&header).into_iter().map(|f| f.name).collect();
    for function in functions(&header) {
        for line in &function.doc {
            for word in line.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
                let is_code = word.starts_with("TWINGUARD_") && !word.ends_with('_');
                assert!(
                    !is_code
                        || header.contains(&format!("{word} "))
                        || header.contains(&format!("{word},")),
                    "{} names {word}, which is not in the header",
                    function.name
                );
            }
            if let Some(other) = line.strip_prefix("@see ") {
                let other = other.trim_end_matches("()");
                assert!(
                    names.iter().any(|n| n == other),
                    "{}: @see {other}",
                    function.name
                );
            }
        }
    }
}

#[test]
fn a_doc_block_with_a_gap_is_found() {
    let header = "/**\n * Does it.\n *\n * @param[in] x  a number.\n * @since 0.1.0\n */\n\
                  int32_t twinguard_it(int32_t x, twinguard_error **error);\n";
    let functions = functions(header);
    assert_eq!(functions.len(), 1);
    let gaps = gaps(&functions[0]);
    for part in [
        "what it is for",
        "@param[out] error",
        "@retval",
        "Ownership",
        "Threads",
        "@see",
    ] {
        assert!(
            gaps.iter().any(|gap| gap.contains(part)),
            "{part} not missed in {gaps:?}"
        );
    }
}

fn symbols() -> Vec<String> {
    read("ffi/abi/symbols.txt")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(str::to_owned)
        .collect()
}
