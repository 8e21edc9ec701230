//! The dashboards of deploy/grafana, and what they ask Prometheus.

use std::fs;

use serde_json::Value;

use super::root;

/// What one panel or variable asks.
pub struct Expression {
    /// Dashboard and title, for people.
    pub place: String,
    pub query: String,
}

/// Each dashboard by the name of its file.
pub fn dashboards() -> Vec<(String, Value)> {
    let files = fs::read_dir(root().join("deploy/grafana/dashboards")).unwrap();
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap())
    };
    let boards: Vec<(String, Value)> = files.map(|file| read(file.unwrap().path())).collect();
    assert!(boards.len() >= 2);
    boards
}

/// All that they ask, with their variables as they are when nothing was chosen.
pub fn expressions() -> Vec<Expression> {
    let mut all = vec![];
    for (name, board) in dashboards() {
        let mut add = |title: &Value, query: &Value| {
            let place = format!("{name}: {}", title.as_str().unwrap());
            all.push(Expression { place, query: chosen(query.as_str().unwrap()) });
        };
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                add(&panel["title"], &target["expr"]);
            }
        }
        for variable in board["templating"]["list"].as_array().unwrap() {
            if variable["type"] == "query" {
                add(&variable["label"], &variable["definition"]);
            }
        }
    }
    assert!(all.len() > 40, "only {} were found", all.len());
    all
}

/// With variables put in, and the series whose labels are values of a variable in the place of `label_values`.
fn chosen(query: &str) -> String {
    let variables = [("$job", "dgawatch"), ("$instance", ".*"), ("$family", ".*"), ("$__rate_interval", "1m")];
    let query = variables.into_iter().fold(query.to_owned(), |query, (name, value)| query.replace(name, value));
    assert!(!query.contains('$'), "{query}");
    let Some(values) = query.strip_prefix("label_values(") else { return query };
    let (series, label) = values.strip_suffix(')').unwrap().rsplit_once(", ").unwrap();
    format!("count by ({label}) ({series})")
}
