//! `docs/metrics.md` lists what is measured. What is between its markers is generated from `metrics::METRICS`. To write it
//! anew:
//!
//! `BLESS=1 cargo test --test metrics_page`

#![cfg(test)]

use std::{env, fs, path::Path};

use gitter_matrix_bridge::metrics::{METRICS, Metric};

const BEGIN: &str = "<!-- Generated up to the next mark: BLESS=1 cargo test --test metrics_page -->\n";
const END: &str = "<!-- The end of what is generated -->\n";

fn row(metric: &Metric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!(
        "| `{}` | {} | {} | {} |\n",
        metric.name,
        metric.kind.as_str(),
        labels.join(", "),
        metric.help
    )
}

#[test]
fn the_page_lists_what_is_measured() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has the first mark");
    let (_, after) = rest.split_once(END).expect("the page has the second mark");
    let rows: String = METRICS.iter().map(row).collect();
    let table = format!("\n| name | kind | labels | what it is |\n|---|---|---|---|\n{rows}\n");
    let generated = format!("{before}{BEGIN}{table}{END}{after}");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &generated).unwrap();
    } else {
        assert!(
            page == generated,
            "docs/metrics.md is not what is measured: BLESS=1 cargo test --test metrics_page"
        );
    }
}

#[test]
fn each_is_named_once_and_says_what_it_is() {
    for (place, metric) in METRICS.iter().enumerate() {
        let Metric {
            name, help, labels, ..
        } = metric;
        assert!(
            METRICS.iter().skip(place + 1).all(|other| other.name != *name),
            "{name}"
        );
        assert!(
            name.starts_with("gitter_bridge_") || name.starts_with("process_"),
            "{name}"
        );
        assert!(
            !help.is_empty() && !help.ends_with('.') && !help.contains('|'),
            "{name}: {help}"
        );
        for id in ["room", "user", "message", "event", "item"] {
            assert!(!labels.contains(&id), "{name} has a label for each {id}");
        }
    }
}
