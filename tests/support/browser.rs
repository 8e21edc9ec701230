//! Debian's Chromium without a window, spoken to over a pair of pipes (the DevTools protocol, messages that end in NUL).

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser with one page.
pub struct Browser {
    child: Child,
    give: ChildStdin,
    take: BufReader<ChildStdout>,
    session: String,
    number: u64,
    /// What the page complained of, and what it asked others for.
    pub complaints: Vec<String>,
    pub requests: Vec<String>,
    /// Messages of event streams that came.
    pub events: usize,
    _home: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The browser's program, if there is one; otherwise says so where it is seen.
pub fn chromium() -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&paths)
        .flat_map(|folder| ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name)))
        .find(|path| path.is_file());
    if found.is_none() {
        // Not through the test harness, which would keep it to itself.
        let _ = writeln!(std::io::stderr(), "WARNING: chromium is not installed: no page was looked at (deploy/setup --tests)");
    }
    found
}

impl Browser {
    /// Starts it with an empty page of this size.
    pub fn start(program: &Path, width: u32, height: u32, dark: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        // It reads from descriptor 3 and writes to 4.
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh"]).arg(program);
        command.args(["--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        command.args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]);
        command.arg(format!("--user-data-dir={}", home.path().display())).arg("about:blank");
        let mut child = command.env("HOME", home.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (give, take) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut browser = Self {
            child,
            give,
            take,
            session: String::new(),
            number: 0,
            complaints: vec![],
            requests: vec![],
            events: 0,
            _home: home,
        };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", &json!({"targetId": target, "flatten": true}));
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser.resize(width, height);
        browser.scheme(dark);
        browser
    }

    pub fn resize(&mut self, width: u32, height: u32) {
        let mobile = width < 600;
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": if mobile { 2 } else { 1 }, "mobile": mobile});
        self.call("Emulation.setDeviceMetricsOverride", &screen);
    }

    pub fn scheme(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        self.call("Emulation.setEmulatedMedia", &json!({"features": [{"name": "prefers-color-scheme", "value": value}]}));
    }

    pub fn scripts(&mut self, on: bool) {
        self.call("Emulation.setScriptExecutionDisabled", &json!({"value": !on}));
    }

    /// Runs a script before those of every page to come.
    pub fn before(&mut self, script: &str) {
        self.call("Page.addScriptToEvaluateOnNewDocument", &json!({"source": script}));
    }

    /// Opens an address and waits until all of it is there.
    pub fn open(&mut self, address: &str) {
        let answer = self.call("Page.navigate", &json!({"url": address}));
        assert!(answer.get("errorText").is_none(), "{address}: {answer}");
        self.event("Page.loadEventFired");
    }

    /// What an expression comes to, promises kept.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        for _ in 0..300 {
            if self.eval(expression) == Value::Bool(true) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("never true: {expression}");
    }

    /// Presses a key.
    pub fn press(&mut self, key: &str, text: &str) {
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            _ => 0,
        };
        let down = json!({"type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", &down);
        self.call("Input.dispatchKeyEvent", &json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code}));
    }

    /// Types into what has the focus.
    pub fn write(&mut self, text: &str) {
        self.call("Input.insertText", &json!({"text": text}));
    }

    /// The whole page as a picture, for people to look at: `target/screenshots`.
    pub fn picture(&mut self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let answer = self.call("Page.captureScreenshot", &json!({"format": "png", "captureBeyondViewport": true}));
        let octets = base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        assert!(octets.len() > 5_000, "{name} is hardly a picture");
        std::fs::write(folder.join(format!("{name}.png")), octets).unwrap();
    }

    /// Waits for the load event of a navigation that the page itself began.
    pub fn event(&mut self, wanted: &str) {
        loop {
            let message = self.read();
            if message["method"] == wanted {
                return;
            }
        }
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        self.give.write_all(format!("{message}\0").as_bytes()).unwrap();
        self.give.flush().unwrap();
        loop {
            let mut answer = self.read();
            if answer["id"] == self.number {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    fn read(&mut self) -> Value {
        let mut octets = vec![];
        self.take.read_until(0, &mut octets).unwrap();
        assert_eq!(octets.pop(), Some(0), "the browser ended");
        let message: Value = serde_json::from_slice(&octets).unwrap();
        match message["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" | "Log.entryAdded" => self.complaints.push(message["params"].to_string()),
            "Runtime.consoleAPICalled" if message["params"]["type"] != "log" => {
                self.complaints.push(message["params"].to_string())
            }
            "Network.eventSourceMessageReceived" => self.events += 1,
            "Network.requestWillBeSent" => {
                self.requests.push(message["params"]["request"]["url"].as_str().unwrap_or_default().to_owned());
            }
            _ => {}
        }
        message
    }
}
