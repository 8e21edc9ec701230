//! The Containerfile and the manifest for Kubernetes, held against the program, and the program with the rights that they give it.
//!
//! Images cannot be fetched here, so none is built. What decides whether the sensor can work in one is tried: another user,
//! NET_RAW from the file alone, a read-only system. Needs root and setcap (Debian: libcap2-bin); says aloud what could not be run.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use support::namespace::in_namespace;
use support::packets::{at, ethernet, query, udp};
use support::running::{Sensor, today, wire};
use support::{dgawatch, printed, root};

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The documents of the manifest.
fn manifest() -> [Value; 3] {
    let text = read("deploy/kubernetes/dgawatch.yaml");
    let documents: Vec<Value> = text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect();
    documents.try_into().unwrap()
}

#[test]
fn the_manifest_fits_the_program() {
    let [namespace, settings, set] = manifest();
    assert_eq!(namespace["metadata"]["name"], set["metadata"]["namespace"]);
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&set["spec"]["selector"]["matchLabels"], labels);
    let pod = &set["spec"]["template"]["spec"];
    let container = &pod["containers"][0];

    assert_eq!((&pod["hostNetwork"], &pod["securityContext"]["runAsNonRoot"]), (&true.into(), &true.into()));
    assert_eq!(container["securityContext"]["capabilities"], json!({"drop": ["ALL"], "add": ["NET_RAW"]}));
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["image"], concat!("dgawatch:", env!("CARGO_PKG_VERSION")));

    // What is mounted is there, where the sensor's settings look for it.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dgawatch.toml");
    let text = settings["data"]["dgawatch.toml"].as_str().unwrap();
    fs::write(&file, text).unwrap();
    let (meant, _) = printed(&dgawatch(&["check-config", file.to_str().unwrap()]), 0);
    assert!(meant.contains("eth1") && meant.contains("127.0.0.1:9353"), "{meant}");
    let mounts: Vec<(&Value, &Value)> =
        container["volumeMounts"].as_array().unwrap().iter().map(|mount| (&mount["name"], &mount["mountPath"])).collect();
    assert_eq!(mounts, [(&"config".into(), &"/etc/dgawatch".into()), (&"state".into(), &"/var/lib/dgawatch".into())]);
    let volumes: Vec<&Value> = pod["volumes"].as_array().unwrap().iter().map(|volume| &volume["name"]).collect();
    assert_eq!(volumes, ["config", "state"]);
    assert_eq!(pod["volumes"][0]["configMap"]["name"], settings["metadata"]["name"]);
    assert!(text.contains("state-dir = \"/var/lib/dgawatch\""), "{text}");

    // Probes ask for what is served, where it listens.
    for (probe, path) in [("startupProbe", "/-/ready"), ("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")] {
        assert_eq!(container[probe]["httpGet"], json!({"host": "127.0.0.1", "port": 9353, "path": path}), "{probe}");
        assert!(read("docs/HTTP.md").contains(&format!("| `{path}` |")));
    }
}

#[test]
fn the_image_fits_the_manifest() {
    let file = read("deploy/container/Containerfile");
    let has = |line: &str| assert!(file.lines().any(|found| found == line), "{line}\n{file}");
    let manifest = read("Cargo.toml");
    let oldest = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap().trim_end_matches('"');
    has(&format!("FROM docker.io/library/rust:{oldest}-slim-bookworm AS build"));
    let [_, _, set] = self::manifest();
    let pod = &set["spec"]["template"]["spec"];
    let user = &pod["securityContext"]["runAsUser"];
    has(&format!("USER {user}:{}", pod["securityContext"]["runAsGroup"]));
    let words =
        |line: &str| -> Value { serde_json::from_str(file.lines().find_map(|found| found.strip_prefix(line)).unwrap()).unwrap() };
    assert_eq!((&words("CMD "), words("ENTRYPOINT ")), (&pod["containers"][0]["args"], json!(["/usr/bin/dgawatch"])));
    let (help, _) = printed(&dgawatch(&["live", "--help"]), 0);
    assert!(help.contains("--config"));
    for line in file.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--from")) {
        assert!(root().join(line.split(' ').next().unwrap()).exists(), "{line}");
    }
    assert!(file.contains(concat!("-t dgawatch:", env!("CARGO_PKG_VERSION"), " ")));
}

#[test]
fn hadolint_is_content() {
    let here = root().join("target/python/bin/hadolint");
    let program = if here.exists() { here } else { PathBuf::from("hadolint") };
    match Command::new(program).arg(root().join("deploy/container/Containerfile")).output() {
        Ok(output) => drop(printed(&output, 0)),
        Err(error) => warn(&format!("the Containerfile was not held against hadolint: {error}: deploy/setup --tests")),
    }
}

/// The schemas of Kubernetes, where the library that has them is installed.
#[test]
fn the_manifest_is_what_kubernetes_takes() {
    let python = python();
    let script = "import sys, yaml, kubernetes_validate as k\n\
        for document in yaml.safe_load_all(open(sys.argv[1])): k.validate(document, '1.31', strict=True)";
    if !Command::new(&python)
        .args(["-c", "import kubernetes_validate"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|it| it.success())
    {
        return warn("kubernetes-validate is not installed, so the manifest was not held against schemas: deploy/setup --tests");
    }
    let file = root().join("deploy/kubernetes/dgawatch.yaml");
    printed(&Command::new(python).arg("-c").arg(script).arg(file).output().unwrap(), 0);
}

/// What Helm makes of the chart with some values: its documents by kind, or what it says.
const RENDER: &str = r#"
import json, sys, yaml, helm_python as helm
helm.disable_logging()
worse = [message for message in helm.lint(sys.argv[1])["messages"] if message["severity"] > 1]
assert not worse, worse
with helm.Chart.load(sys.argv[1]) as chart:
    try:
        files = chart.render(json.loads(sys.argv[2]), name="dgawatch", namespace="dgawatch")
        texts = [text for file, text in files.items() if not file.endswith(".txt")]
        documents = [document for text in texts for document in yaml.safe_load_all(text) if document]
        print(json.dumps({document["kind"]: document for document in documents}))
    except helm.HelmRenderError as error:
        print(json.dumps({"error": str(error)}))
"#;

/// The chart is made by Helm's own engine, where it is installed, and held against manifest, rules and program.
#[test]
fn the_chart_is_the_manifest() {
    let python = python();
    let there = |module: &str| {
        let import = format!("import {module}, yaml");
        Command::new(&python).args(["-c", &import]).stderr(Stdio::null()).status().is_ok_and(|it| it.success())
    };
    if !there("helm_python") {
        return warn("helm-python-sdk is not installed, so the chart was not rendered: deploy/setup --tests");
    }
    let chart = root().join("deploy/helm/dgawatch");
    let render = |values: Value| -> Value {
        let output = Command::new(&python).args(["-c", RENDER]).arg(&chart).arg(values.to_string()).output().unwrap();
        serde_json::from_str(&printed(&output, 0).0).unwrap()
    };
    let check = |made: &Value| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dgawatch.toml");
        fs::write(&file, made["ConfigMap"]["data"]["dgawatch.toml"].as_str().unwrap()).unwrap();
        printed(&dgawatch(&["check-config", file.to_str().unwrap()]), 0).0
    };

    let usual = render(json!({}));
    let [_, settings, set] = manifest();
    let kinds: Vec<&String> = usual.as_object().unwrap().keys().collect();
    assert_eq!(kinds, ["ConfigMap", "DaemonSet"]);
    assert_eq!(usual["DaemonSet"]["spec"]["template"]["spec"], set["spec"]["template"]["spec"]);
    let text = |of: &Value| of["data"]["dgawatch.toml"].as_str().unwrap().trim().to_owned();
    assert_eq!(text(&usual["ConfigMap"]), text(&settings));
    assert!(check(&usual).contains("eth1"));

    let full = render(json!({
        "interfaces": ["eth1", "eth2"], "listenAddress": "0.0.0.0", "webSecret": "web", "settings": "skew = 2\nprefix = \"24,56\"",
        "service": {"enabled": true}, "serviceMonitor": {"enabled": true, "endpoint": {"scheme": "https"}},
        "prometheusRule": {"enabled": true}, "stateHostPath": "/var/lib/dgawatch", "image": {"tag": "x"}
    }));
    let pod = &full["DaemonSet"]["spec"]["template"];
    assert_eq!(pod["spec"]["containers"][0]["image"], "dgawatch:x");
    assert_eq!(pod["spec"]["containers"][0]["livenessProbe"]["tcpSocket"], json!({"host": "127.0.0.1", "port": 9353}));
    assert_eq!(pod["spec"]["volumes"][1]["hostPath"]["path"], "/var/lib/dgawatch");
    // What the sensor reads is mounted from the secret.
    assert!(text(&full["ConfigMap"]).contains("config.file = \"/etc/dgawatch-web/web.yml\""));
    assert_eq!(pod["spec"]["volumes"][2], json!({"name": "web", "secret": {"secretName": "web"}}));
    assert_eq!(pod["spec"]["containers"][0]["volumeMounts"][2]["mountPath"], "/etc/dgawatch-web");
    // Prometheus finds the service, the service the pods.
    assert_eq!(full["Service"]["spec"]["selector"], pod["metadata"]["labels"]);
    assert_eq!(full["Service"]["spec"]["ports"][0]["targetPort"], pod["spec"]["containers"][0]["ports"][0]["name"]);
    let monitor = &full["ServiceMonitor"]["spec"];
    for (label, value) in monitor["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&full["Service"]["metadata"]["labels"][label], value);
    }
    assert_eq!(full["Service"]["metadata"]["labels"][monitor["jobLabel"].as_str().unwrap()], "dgawatch");
    assert_eq!((&monitor["endpoints"][0]["port"], &monitor["endpoints"][0]["scheme"]), (&"http".into(), &"https".into()));
    let rules: Value = serde_saphyr::from_str(&read("deploy/prometheus/rules.yml")).unwrap();
    assert_eq!(full["PrometheusRule"]["spec"], rules);

    let values = json!({"listenAddress": "0.0.0.0", "settings": "skew = 2\nprefix = \"24,56\"\nworkers = 2", "webSettings": "max-requests = 7"});
    let meant = check(&render(values));
    assert!(meant.contains("0.0.0.0:9353") && meant.contains('7'), "{meant}");
    for (values, why) in [
        (json!({"service": {"enabled": true}}), "needs a listenAddress that others reach"),
        (json!({"serviceMonitor": {"enabled": true}}), "needs service.enabled"),
    ] {
        let refused = render(values);
        assert!(refused["error"].as_str().unwrap().contains(why), "{refused}");
    }

    if !there("kubernetes_validate") {
        return warn("kubernetes-validate is not installed, so the chart was not held against schemas: deploy/setup --tests");
    }
    for kind in ["ConfigMap", "DaemonSet", "Service"] {
        let script = "import json, sys, kubernetes_validate as k; k.validate(json.loads(sys.argv[1]), '1.31', strict=True)";
        printed(&Command::new(&python).args(["-c", script]).arg(full[kind].to_string()).output().unwrap(), 0);
    }
    let chart: Value = serde_saphyr::from_str(&read("deploy/helm/dgawatch/Chart.yaml")).unwrap();
    assert_eq!((&chart["version"], &chart["appVersion"]), (&env!("CARGO_PKG_VERSION").into(), &env!("CARGO_PKG_VERSION").into()));
}

/// Python with the libraries for tests, where there is one.
fn python() -> PathBuf {
    let here = root().join("target/python/bin/python3");
    if here.exists() { here } else { PathBuf::from("python3") }
}

/// Runs what follows as a container's runtime does: `$1` is a folder that may be written, the only one. Like runc, setpriv has
/// the capability until it becomes the program, which is why the file's counts in spite of no_new_privs: nothing is gained.
const CONTAINED: &str = "mount -o remount,bind,ro / && mount -t tmpfs -o uid=65532,gid=65532,mode=700 tmpfs \"$1\" && cd \"$1\" && shift && \
    exec setpriv --reuid 65532 --regid 65532 --clear-groups --inh-caps=-all";

fn contained(folder: &Path, rights: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &format!("{CONTAINED} {rights} \"$@\""), "sh"]);
    command.arg(folder.join("state")).arg(folder.join("dgawatch")).args(arguments);
    command
}

/// The program with the capability on its file.
fn prepared() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::create_dir(folder.path().join("state")).unwrap();
    let program = folder.path().join("dgawatch");
    fs::copy(env!("CARGO_BIN_EXE_dgawatch"), &program).unwrap();
    let open = Command::new("chmod").arg("755").arg(folder.path()).status().unwrap();
    assert!(open.success());
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let set = Command::new("setcap").env("PATH", path).arg("cap_net_raw+ep").arg(&program).output();
    if !set.is_ok_and(|output| output.status.success()) {
        warn("setcap is not installed or may not be used, so the rights of a container were not tried: deploy/setup --tests");
        return None;
    }
    Some(folder)
}

#[test]
fn listens_with_net_raw_alone() {
    in_namespace("listens_with_net_raw_alone", || {
        let Some(folder) = prepared() else { return };
        let arguments = ["live", "--interface", "watched", "--state-dir", ".", "--format", "json", "--family", "conficker-b"];
        let mut sensor = Sensor::of(contained(folder.path(), "--bounding-set=-all,+net_raw --no-new-privs", &arguments));
        let mut wire = wire();
        for (id, name) in (1..).zip(&today()[..3]) {
            let packet = udp(at("192.0.2.7", 40_000), at("192.0.2.53", 53), &query(id, name, 1));
            wire.sendpacket(ethernet(&[], &packet)).unwrap();
        }
        let report = sensor.stop(0);
        assert_eq!(
            (&report["sources"][0]["source"], &report["sources"][0]["verdict"]),
            (&"192.0.2.7".into(), &"infected".into())
        );
    });
}

/// What docs/PACKAGES.md warns of.
#[test]
fn does_not_start_without_net_raw() {
    let Some(folder) = prepared() else { return };
    let output = contained(folder.path(), "--bounding-set=-all", &["--version"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("Operation not permitted"), "{said}");
}

fn warn(line: &str) {
    // Not through the test harness, which would keep it to itself.
    let _ = writeln!(stderr(), "WARNING: {line}");
}
