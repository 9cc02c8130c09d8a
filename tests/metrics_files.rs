//! The files for those who watch the bridge, `contrib/grafana-dashboard.json` and `contrib/prometheus-rules.yaml`: every
//! metric and label in them exists, and every alert has its section in docs/runbook.md.
#![cfg(test)]

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use gitter_matrix_bridge::metrics::{Kind, METRICS};
use regex::Regex;
use serde_json::Value;

/// What Prometheus adds by itself to what it collects.
const OF_PROMETHEUS: [&str; 5] = ["up", "job", "instance", "quantile", "le"];

/// Words of its language that stand where names of metrics could.
const WORDS: [&str; 10] = [
    "and", "bool", "by", "ignoring", "inf", "offset", "on", "or", "unless", "without",
];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let names = pattern
        .captures_iter(text)
        .map(|groups| groups.get(1).unwrap().as_str().to_owned());
    names.collect()
}

/// The names of what is measured. What is measured as a distribution has more than one.
static NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let names = METRICS.iter().flat_map(|metric| {
        let endings: &[&str] = match metric.kind {
            Kind::Counter | Kind::Gauge => &[""],
            Kind::Histogram(_) => &["_bucket", "_sum", "_count"],
            Kind::Summary => &["", "_sum", "_count"],
        };
        endings.iter().map(|ending| format!("{}{ending}", metric.name))
    });
    names.collect()
});

/// The labels that there are.
static LABELS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let labels = METRICS.iter().flat_map(|metric| metric.labels);
    labels.map(|label| (*label).to_owned()).collect()
});

/// What an expression names that does not exist.
fn unknown(expression: &str) -> BTreeSet<String> {
    let exists = |names: &BTreeSet<String>, name: &str| names.contains(name) || OF_PROMETHEUS.contains(&name);
    let texts = Regex::new(r#""[^"]*""#).unwrap().replace_all(expression, "''");
    let grouping = Regex::new(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)").unwrap();
    let selectors = Regex::new(r"\{([^}]*)\}").unwrap();
    let mut labels = found(r"([a-z_]+)\s*(?:=~|!=|!~|=)\s*''", &texts);
    for groups in grouping.captures_iter(&texts) {
        let list = groups.get(1).unwrap().as_str().split(',');
        labels.extend(list.map(|label| label.trim().to_owned()));
    }
    labels.retain(|label| !exists(&LABELS, label));
    let rest = grouping.replace_all(&texts, " ");
    let rest = selectors.replace_all(&rest, " ");
    let rest = Regex::new(r"\[[^\]]*\]").unwrap().replace_all(&rest, " ");
    // What is followed by a bracket is a function, what begins with a digit a number.
    let names = found(
        r"\b([a-zA-Z_][a-zA-Z0-9_]*)\b(?:\s*[^\s(a-zA-Z0-9_]|\s+[a-zA-Z0-9_]|\s*$)",
        &rest,
    );
    let metrics = names
        .into_iter()
        .filter(|name| !exists(&NAMES, name) && !WORDS.contains(&name.as_str()));
    labels.into_iter().chain(metrics).collect()
}

/// The alerts.
fn alerts() -> Vec<Value> {
    let rules: Value = serde_saphyr::from_str(&read("contrib/prometheus-rules.yaml")).unwrap();
    let groups = rules["groups"].as_array().unwrap();
    let alerts = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap().clone());
    alerts.collect()
}

#[test]
fn the_alerts_are_about_metrics_that_exist() {
    let alerts = alerts();
    assert!(alerts.len() > 5, "{alerts:?}");
    for alert in alerts {
        let expression = alert["expr"].as_str().unwrap();
        assert_eq!(unknown(expression), BTreeSet::new(), "{expression}");
        let labels = found(r"\$labels\.([a-z_]+)", &alert["annotations"].to_string());
        for label in labels {
            assert!(
                expression.contains(&label) || OF_PROMETHEUS.contains(&label.as_str()),
                "{label} in {alert}"
            );
        }
    }
}

#[test]
fn the_dashboard_shows_metrics_that_exist_and_each_of_them() {
    let dashboard = read("contrib/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut shown = String::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            assert_eq!(unknown(expression), BTreeSet::new(), "{expression}");
            shown.push_str(expression);
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let query = variable["definition"].as_str().unwrap_or_default();
        let named = found(r"(gitter_bridge_[a-z_]+)", query);
        assert!(named.is_subset(&NAMES), "{query}");
    }
    for metric in METRICS {
        assert!(shown.contains(metric.name), "{} is in no panel", metric.name);
    }
}

#[test]
fn each_alert_has_its_section_in_the_runbook() {
    let sections = found(r"(?m)^## (\S+)$", &read("docs/runbook.md"));
    let sections: BTreeSet<String> = sections.into_iter().map(|name| name.to_lowercase()).collect();
    let mut told = BTreeSet::new();
    for alert in alerts() {
        let runbook = alert["annotations"]["runbook"].as_str().unwrap_or_default();
        let Some(section) = runbook.strip_prefix("docs/runbook.md#") else {
            panic!("{alert} has no line of the runbook");
        };
        assert!(sections.contains(section), "docs/runbook.md lacks {section}");
        told.insert(section.to_owned());
        for key in ["summary", "description"] {
            assert!(alert["annotations"][key].is_string(), "{alert} lacks {key}");
        }
    }
    assert_eq!(told, sections, "sections without an alert");
}

#[test]
fn what_does_not_exist_is_found() {
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    for (expression, expected) in [
        ("gitter_bridge_nothing > 0", names(&["gitter_bridge_nothing"])),
        (
            "rate(process_nothing_total[5m])",
            names(&["process_nothing_total"]),
        ),
        (
            "sum by (room, direction) (gitter_bridge_items_failed{who=\"up\"})",
            names(&["room", "who"]),
        ),
        (
            "up{job=\"x\"} == 1 unless on (job) gitter_bridge_portals",
            names(&[]),
        ),
        (
            "gitter_bridge_gitter_budget_waited_seconds_bucket",
            names(&["gitter_bridge_gitter_budget_waited_seconds_bucket"]),
        ),
    ] {
        assert_eq!(unknown(expression), expected, "{expression}");
    }
}
