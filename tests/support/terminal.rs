//! A shell in a terminal of its own (tmux), for programs that take the screen.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, process, thread};

/// A shell in a terminal of a size.
pub struct Terminal(String);

impl Terminal {
    /// Nothing where there is no tmux.
    pub fn open(test: &str, columns: u16, lines: u16) -> Option<Self> {
        let terminal = Self(format!("dgawatch-{test}-{}", process::id()));
        let size = [columns, lines].map(|number| number.to_string());
        let shell = "env PS1='ready> ' sh";
        match terminal.command().args(["new-session", "-d", "-x", &size[0], "-y", &size[1], shell]).output() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let _ = writeln!(std::io::stderr(), "WARNING: tmux is not installed: `top` was not looked at");
                return None;
            }
            output => assert!(output.as_ref().unwrap().status.success(), "{output:?}"),
        }
        terminal.until("ready>");
        Some(terminal)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.0, "-f", "/dev/null", "-u"]);
        command
    }

    pub fn tmux(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "tmux {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    pub fn line(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
        self.press(&["Enter"]);
    }

    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen holds a text.
    #[track_caller]
    pub fn until(&self, holds: &str) -> String {
        self.wait(holds, |screen| screen.contains(holds))
    }

    #[track_caller]
    pub fn wait(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(Instant::now() < until, "in vain: {what}\n{screen}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Leaves the screen with its colours for people to look at.
    pub fn picture(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.ansi")), self.tmux(&["capture-pane", "-p", "-e"])).unwrap();
    }

    pub fn resize(&self, columns: u16, lines: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &lines.to_string()]);
    }

    /// Starts a program that takes the screen, once the terminal's settings are written down, and waits for what it shows.
    pub fn start(&self, command: &str, shows: &str) {
        self.line(&format!(
            "before=$(stty -g); {command}; code=$?; after=$(stty -g); \
             test \"$before\" = \"$after\" && echo \"given back with $code\""
        ));
        self.wait(shows, |screen| screen.contains(shows) && self.tmux(&["display-message", "-p", "#{alternate_on}"]) == "1\n");
    }

    /// Waits until the program has ended with a code, and the terminal is as it was.
    #[track_caller]
    pub fn given_back(&self, code: u8) -> String {
        let screen = self.until(&format!("given back with {code}\n"));
        assert_eq!(self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]), "0 1\n");
        screen
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").output();
    }
}
