//! Each wall that the sensor builds around itself, tried from inside: what is forbidden fails, what is needed works.
//!
//! A wall cannot be taken down, so each is tried in a process of its own: this test, started again. Says aloud what could
//! not be tried.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[cfg(feature = "live")]
mod support;

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::fs::{PermissionsExt, chown, chroot, symlink};
use std::os::unix::net::UnixDatagram;
#[cfg(feature = "live")]
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};
use std::{env, io, thread};

use dgawatch::process::{Access, Keep, Notifier, Request, Role, Sandbox, User, give_up, pin, request_on_signal};
#[cfg(feature = "live")]
use dgawatch::source::{DnstapListener, Intake, LiveConfig, Tap};
use nix::unistd::{Uid, geteuid, setuid};
#[cfg(feature = "live")]
use support::dnstap::{control, data};

/// Set in the process in which a wall is tried: a directory to write to.
const INSIDE: &str = "DGAWATCH_INSIDE";

/// Whoever has no rights, on any system.
const NOBODY: &str = "nobody";

#[test]
fn root_is_given_up() {
    needs_root("giving up root", || {
        in_a_process("root_is_given_up", |_| {
            let standing = give_up(Some(&User::find(NOBODY).unwrap()), Keep::Nothing).unwrap();
            assert!(!standing.is_root());
            assert_eq!(standing.to_string(), format!("user nobody ({}), no capabilities, no new privileges", geteuid()));
            assert_refused(fs::read("/etc/shadow"));
            assert_refused(fs::write("/etc/dgawatch-was-here", ""));
            assert_refused(setuid(Uid::from_raw(0)).map_err(io::Error::from));
            #[cfg(feature = "live")]
            assert!(open().is_err());
            // A program that it starts has no more, whatever the file's owner grants.
            let status = Command::new("cat").arg("/proc/self/status").output().unwrap();
            let status = String::from_utf8(status.stdout).unwrap();
            for line in ["NoNewPrivs:\t1", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"]
            {
                assert!(status.contains(line), "{line}: {status}");
            }
        });
    });
}

#[test]
fn the_right_to_capture_can_be_kept() {
    needs_root("keeping CAP_NET_RAW", || {
        in_a_process("the_right_to_capture_can_be_kept", |_| {
            let standing = give_up(Some(&User::find(NOBODY).unwrap()), Keep::Capture).unwrap();
            assert!(standing.to_string().contains("CAP_NET_RAW"), "{standing}");
            #[cfg(feature = "live")]
            open().map(drop).unwrap();
            assert_refused(fs::read("/etc/shadow"));
            assert_refused(setuid(Uid::from_raw(0)).map_err(io::Error::from));
        });
    });
}

#[test]
fn users_that_cannot_be() {
    assert!(User::find("nobody-of-that-name").unwrap_err().starts_with("there is no user nobody-of-that-name: "));
    assert!(User::find("root").unwrap_err().starts_with("user root is root: "));
}

#[test]
fn root_without_a_user_is_told() {
    needs_root("root without capabilities", || {
        in_a_process("root_without_a_user_is_told", |_| {
            let standing = give_up(None, Keep::Nothing).unwrap();
            assert!(standing.is_root());
            // It owns what root owns, and may do nothing else of root's.
            assert_refused(chown("/etc/passwd", Some(1), None));
            assert_refused(chroot("/"));
            #[cfg(feature = "live")]
            assert!(open().is_err());
        });
    });
}

#[test]
fn files_and_ports_are_confined() {
    in_a_process("files_and_ports_are_confined", |state| {
        let lists = state.join("lists");
        fs::create_dir(&lists).unwrap();
        let list = lists.join("list.txt");
        fs::write(&list, "a.example\n").unwrap();
        let written = state.join("written");
        fs::create_dir(&written).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut waiting = TcpStream::connect(("127.0.0.1", port)).unwrap();

        let mut access = Access::default();
        assert!(access.reload(&list));
        access.read("/nowhere/at/all");
        access.write(&written);
        if !confined("Landlock", Sandbox::Require.confine_paths(&access)) {
            return;
        }
        assert_refused(fs::read("/etc/passwd"));
        assert_refused(fs::read_dir("/"));
        assert_refused(fs::write(state.join("beside"), ""));
        assert_refused(fs::write(&list, ""));
        assert_refused(fs::rename(&list, written.join("list.txt")));
        assert_refused(TcpStream::connect(("127.0.0.1", port)));
        assert_refused(TcpListener::bind("127.0.0.1:0"));
        assert_refused(Command::new("/bin/true").status());
        // Threads are inside as well.
        thread::spawn(|| assert_refused(fs::read("/etc/passwd"))).join().unwrap();

        // A list can be read again; that it can be replaced by others, `a_replaced_list` tells.
        assert_eq!(fs::read_to_string(&list).unwrap(), "a.example\n");
        write_and_rename(&written);
        read_statistics();
        waiting.write_all(b"x").unwrap();
        let mut got = [0];
        listener.accept().unwrap().0.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"x");
        assert!(SystemTime::now() > SystemTime::UNIX_EPOCH);
    });
}

#[test]
fn a_replaced_list() {
    in_a_process("a_replaced_list", |state| {
        let list = state.join("list.txt");
        fs::write(&list, "old").unwrap();
        // A thread from before stands outside.
        let (confined_now, wait) = std::sync::mpsc::channel();
        let elsewhere = list.clone();
        let other = thread::spawn(move || {
            wait.recv().unwrap();
            fs::write(elsewhere.with_extension("new"), "new").unwrap();
            fs::rename(elsewhere.with_extension("new"), &elsewhere).unwrap();
        });
        let mut access = Access::default();
        assert!(access.reload(&list));
        assert!(!access.clone().reload(Path::new("/etc/hosts")), "/etc is not opened for one file");
        let confined = confined("Landlock", Sandbox::Require.confine_paths(&access));
        confined_now.send(()).unwrap();
        other.join().unwrap();
        assert_eq!(fs::read_to_string(&list).unwrap(), "new");
        if confined {
            assert_refused(fs::write(&list, ""));
        }
    });
}

#[test]
fn a_path_that_must_be_there() {
    in_a_process("a_path_that_must_be_there", |_| {
        let mut access = Access::default();
        access.write("/nowhere/at/all");
        let error = Sandbox::Try.confine_paths(&access).unwrap_err();
        assert!(error.starts_with("/nowhere/at/all cannot be let into the sandbox: "), "{error}");
    });
}

#[test]
fn calls_of_a_worker() {
    in_a_process("calls_of_a_worker", |state| {
        if !calls(Role::Worker) {
            return;
        }
        refuses_what_nobody_may(state);
        assert_refused(fs::write(state.join("file"), ""));
        assert_refused(fs::remove_dir(state));
        assert_refused(thread::Builder::new().spawn(|| {}));
        everybody_works();
        read_statistics();
    });
}

#[cfg(feature = "live")]
#[test]
fn calls_of_a_receiver() {
    in_a_process("calls_of_a_receiver", |state| {
        let path = state.join("dnstap.sock");
        let address = format!("unix:{}", path.display()).parse().unwrap();
        let mut receiver = DnstapListener::open(&address).unwrap();
        let mut server = UnixStream::connect(&path).unwrap();
        server.write_all(&control(4)).unwrap();
        if !calls(Role::Receiver) {
            return;
        }
        refuses_what_nobody_may(state);
        assert_refused(fs::read("/sys/class/net/lo/statistics/rx_missed_errors"));
        assert_refused(fs::write(state.join("file"), ""));
        assert_refused(UnixStream::connect(&path));
        assert_refused(thread::Builder::new().spawn(|| {}));
        everybody_works();
        // A handshake, a frame that is none of dnstap's, the end.
        assert_eq!(receiver.take(9, |_| panic!("no frame yet")), Ok(0));
        let mut accepted = [0; 42];
        server.read_exact(&mut accepted).unwrap();
        assert_eq!(accepted[..], control(1));
        server.write_all(&[control(2), data(b"x"), control(3)].concat()).unwrap();
        receiver.wait(Duration::from_secs(5));
        assert_eq!(receiver.take(9, |record| assert_eq!(record.data, b"x")), Ok(1));
        let mut finished = vec![];
        server.read_to_end(&mut finished).unwrap();
        assert_eq!(finished, control(5));
        assert_eq!((receiver.counts().connections, receiver.counts().connections_broken), (1, 0));
    });
}

#[test]
fn calls_of_a_builder() {
    in_a_process("calls_of_a_builder", |state| {
        if !calls(Role::Builder) {
            return;
        }
        refuses_what_nobody_may(state);
        assert_refused(fs::read("/sys/class/net/lo/statistics/rx_missed_errors"));
        assert_refused(fs::write(state.join("file"), ""));
        assert_refused(thread::Builder::new().spawn(|| {}));
        everybody_works();
        let mut catalog = dgawatch::dga::Catalog::default();
        catalog.add("conficker").unwrap();
        let mut names = 0;
        catalog.iter().for_each(|(_, family)| family.names("2009-04-01".parse().unwrap(), &mut |_| names += 1));
        assert_eq!(names, 50_500);
    });
}

#[test]
fn calls_of_the_clerk() {
    in_a_process("calls_of_the_clerk", |state| {
        let manager = UnixDatagram::bind(state.join("manager")).unwrap();
        // What systemd sets, in a process of our own.
        let told = Command::new(env::current_exe().unwrap())
            .args(["--exact", "the_manager_is_told", "--nocapture"])
            .env("NOTIFY_SOCKET", state.join("manager"))
            .env("WATCHDOG_USEC", "3000000")
            .status();
        assert!(told.unwrap().success());
        for expected in ["READY=1", "STATUS=2 infected", "WATCHDOG=1", "RELOADING=1", "STOPPING=1"] {
            let mut message = [0; 100];
            let length = manager.recv(&mut message).unwrap();
            assert_eq!(String::from_utf8_lossy(&message[..length]), expected);
        }
        if !calls(Role::Clerk) {
            return;
        }
        refuses_what_nobody_may(state);
        write_and_rename(state);
        assert_eq!(fs::read_dir(state).unwrap().count(), 2);
        everybody_works();
        assert_eq!(thread::spawn(|| 7).join().unwrap(), 7);
    });
}

/// Run by the test above with a manager, by the harness without.
#[test]
fn the_manager_is_told() {
    let notifier = Notifier::connect().unwrap();
    if env::var_os("NOTIFY_SOCKET").is_none() {
        assert_eq!(notifier.interval(), None);
        return notifier.ready();
    }
    assert_eq!(notifier.interval(), Some(Duration::from_millis(1_500)));
    let mut access = Access::default();
    access.read("/proc/self");
    Sandbox::Try.confine_paths(&access).unwrap();
    Sandbox::Try.confine_calls(Role::Clerk).unwrap();
    notifier.ready();
    notifier.status("2\ninfected");
    notifier.alive();
    notifier.reloading();
    notifier.stopping();
}

#[test]
fn calls_of_http() {
    in_a_process("calls_of_http", |state| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        if !calls(Role::Http) {
            return;
        }
        refuses_what_nobody_may(state);
        assert_refused(fs::write(state.join("file"), ""));
        client.write_all(b"GET /").unwrap();
        let (mut served, _) = listener.accept().unwrap();
        served.set_nonblocking(true).unwrap();
        served.set_nodelay(true).unwrap();
        let mut got = [0; 5];
        served.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"GET /");
        everybody_works();
        read_statistics();
        assert_eq!(thread::spawn(|| 7).join().unwrap(), 7);
    });
}

#[test]
fn calls_of_a_sender_of_datagrams() {
    in_a_process("calls_of_a_sender_of_datagrams", |state| sends(state, false));
}

#[test]
fn calls_of_a_sender_that_connects() {
    in_a_process("calls_of_a_sender_that_connects", |state| sends(state, true));
}

fn sends(state: &Path, connect: bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (open, other) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    open.connect(other.local_addr().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    if !calls(Role::Sender { connect }) {
        return;
    }
    open.send(b"x").unwrap();
    if connect {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.set_nonblocking(true).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        stream.set_nonblocking(false).unwrap();
        stream.write_all(b"x").unwrap();
    } else {
        assert_refused(TcpStream::connect(address));
    }
    assert_refused(TcpListener::bind("127.0.0.1:0"));
    assert_refused(UdpSocket::bind("127.0.0.1:0"));
    assert_refused(UnixDatagram::unbound());
    assert_refused(fs::read("/sys/class/net/lo/statistics/rx_missed_errors"));
    assert_refused(fs::write(state.join("file"), ""));
    assert_refused(thread::Builder::new().spawn(|| {}));
    assert_refused(Command::new("/bin/true").status());
    everybody_works();
}

#[test]
fn calls_of_a_streamer() {
    in_a_process("calls_of_a_streamer", |state| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let look_up = move || ("localhost", port).to_socket_addrs().map(Iterator::count);
        assert!(look_up().unwrap() > 0);
        if !calls(Role::Streamer) {
            return;
        }
        // Its connections, on threads that look for hosts; its files.
        assert!(thread::spawn(look_up).join().unwrap().unwrap() > 0);
        TcpStream::connect(("127.0.0.1", port)).unwrap().write_all(b"x").unwrap();
        fs::write(state.join("file"), "x").unwrap();
        fs::remove_file(state.join("file")).unwrap();
        assert_refused(TcpListener::bind("127.0.0.1:0"));
        assert_refused(UnixDatagram::unbound());
        assert_refused(Command::new("/bin/true").status());
        everybody_works();
    });
}

#[test]
fn a_port_to_connect_to() {
    in_a_process("a_port_to_connect_to", |_| {
        let [named, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [port, another] = [&named, &other].map(|listener| listener.local_addr().unwrap().port());
        let mut access = Access::default();
        access.connect(port);
        if !confined("Landlock", Sandbox::Require.confine_paths(&access)) {
            return;
        }
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_refused(TcpStream::connect(("127.0.0.1", another)));
        assert_refused(TcpListener::bind("127.0.0.1:0"));
    });
}

#[test]
fn threads_narrow_what_main_had() {
    in_a_process("threads_narrow_what_main_had", |state| {
        if !calls(Role::Main { reopen: false, connect: false, stream: false }) {
            return;
        }
        refuses_what_nobody_may(state);
        for (role, writes) in [(Role::Worker, false), (Role::Builder, false), (Role::Clerk, true), (Role::Http, false)] {
            let file = state.join("file");
            let narrowed = move || {
                Sandbox::Require.confine_calls(role).unwrap();
                fs::write(file, "").is_ok()
            };
            assert_eq!(thread::spawn(narrowed).join().unwrap(), writes, "{role:?}");
        }
        write_and_rename(state);
        thread::available_parallelism().unwrap();
    });
}

#[test]
fn starting_a_program_is_deadly() {
    let status = run("starting_a_program_is_deadly", |_| {
        if calls(Role::Main { reopen: true, connect: true, stream: true }) {
            let program = c"/bin/true";
            let _ = nix::unistd::execv(program, &[program]);
            unreachable!("not dead");
        }
    });
    if let Some(status) = status {
        const SIGSYS: i32 = 31;
        assert!(status.success() || status.signal() == Some(SIGSYS), "{status}");
    }
}

#[test]
#[cfg(feature = "live")]
fn an_interface_opened_again() {
    needs_root("opening an interface inside the sandbox", || {
        in_a_process("an_interface_opened_again", |state| {
            give_up(Some(&User::find(NOBODY).unwrap()), Keep::Capture).unwrap();
            Sandbox::Try.confine_paths(&Access::default()).unwrap();
            if !calls(Role::Opener) {
                return;
            }
            let mut live = open().unwrap();
            live.take(1_000, |_| {}).unwrap();
            live.counts();
            assert_refused(fs::write(state.join("file"), ""));
            assert_refused(thread::Builder::new().spawn(|| {}));
            assert_refused(Command::new("/bin/true").status());
        });
    });
}

/// A capture of the loopback interface.
#[cfg(feature = "live")]
fn open() -> Result<Tap, String> {
    Tap::open("lo", &LiveConfig::default())?.pop().ok_or_else(|| "no worker".to_owned())
}

/// All walls in the order in which the sensor builds them, around a capture that goes on.
#[test]
#[cfg(feature = "live")]
fn everything_in_its_order() {
    needs_root("the whole sandbox", || {
        in_a_process("everything_in_its_order", |state| {
            let mut live = open().unwrap();
            let web = TcpListener::bind("127.0.0.1:0").unwrap();
            let user = User::find(NOBODY).unwrap();
            let mut access = Access::default();
            access.write(state);
            give_up(Some(&user), Keep::Nothing).unwrap();
            for lacking in [
                Sandbox::Try.confine_paths(&access),
                Sandbox::Try.confine_calls(Role::Main { reopen: false, connect: false, stream: false }),
            ] {
                lacking.unwrap().iter().for_each(|lacking| warn(lacking));
            }
            assert_refused(fs::read("/etc/shadow"));
            assert!(open().is_err());
            let worker = thread::spawn(move || {
                pin(0).unwrap();
                Sandbox::Try.confine_calls(Role::Worker).unwrap().iter().for_each(|lacking| warn(lacking));
                let until = Instant::now() + Duration::from_secs(5);
                let mut packets = 0;
                while packets == 0 && Instant::now() < until {
                    packets += live.take(1_000, |_| {}).unwrap();
                    thread::sleep(Duration::from_millis(5));
                }
                (packets, live.counts().received)
            });
            let http = thread::spawn(move || {
                Sandbox::Try.confine_calls(Role::Http).unwrap();
                assert_refused(TcpStream::connect(web.local_addr().unwrap()));
            });
            http.join().unwrap();
            write_and_rename(state);
            // The process outside sends: see `run`.
            let (packets, received) = worker.join().unwrap();
            assert!(packets > 0 && received > 0, "{packets} {received}");
        });
    });
}

#[test]
fn requests_by_signal() {
    in_a_process("requests_by_signal", |_| {
        for (request, signal) in [(Request::Reload, "-HUP"), (Request::Rotate, "-USR1")] {
            let asked = request_on_signal(request).unwrap();
            assert!(!asked.load(Ordering::Relaxed));
            Command::new("kill").args([signal, &std::process::id().to_string()]).status().unwrap();
            let until = Instant::now() + Duration::from_secs(5);
            while !asked.swap(false, Ordering::Relaxed) {
                assert!(Instant::now() < until, "{request:?}");
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
}

#[test]
fn pinned() {
    thread::spawn(|| {
        pin(0).unwrap();
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(status.contains("Cpus_allowed_list:\t0\n"), "{status}");
        assert!(pin(1_000_000).unwrap_err().starts_with("processor 1000000 cannot be used: "));
    })
    .join()
    .unwrap();
}

#[test]
fn no_sandbox_where_none_is_wanted() {
    let nothing: Vec<String> = vec![];
    assert_eq!(Sandbox::Off.confine_paths(&Access::default()), Ok(nothing.clone()));
    assert_eq!(Sandbox::Off.confine_calls(Role::Worker), Ok(nothing));
    assert!(fs::read("/etc/passwd").is_ok());
}

/// What no role may do.
fn refuses_what_nobody_may(state: &Path) {
    assert_refused(TcpStream::connect("127.0.0.1:9"));
    assert_refused(TcpListener::bind("127.0.0.1:0"));
    assert_refused(UdpSocket::bind("127.0.0.1:0"));
    assert_refused(UnixDatagram::unbound());
    assert_refused(Command::new("/bin/true").status());
    assert_refused(symlink("/etc/passwd", state.join("link")));
    assert_refused(fs::set_permissions(state, Permissions::from_mode(0o777)));
    assert_refused(chown(state, Some(1), None));
}

/// What every role may do.
fn everybody_works() {
    assert!(SystemTime::now() > SystemTime::UNIX_EPOCH);
    thread::sleep(Duration::from_millis(1));
    // More than the allocator has at hand, there and back.
    let much = vec![1_u8; 64 << 20];
    assert_eq!(much.iter().step_by(4096).map(|one| u64::from(*one)).sum::<u64>(), 16_384);
    drop(much);
    io::stderr().write_all(b"").unwrap();
}

fn write_and_rename(directory: &Path) {
    let (new, old) = (directory.join("state.new"), directory.join("state"));
    let mut file = File::create(&new).unwrap();
    file.write_all(b"evidence").unwrap();
    file.sync_all().unwrap();
    fs::rename(&new, &old).unwrap();
    File::open(directory).unwrap().sync_all().unwrap();
    assert_eq!(fs::read(&old).unwrap(), b"evidence");
}

fn read_statistics() {
    let count = fs::read_to_string("/sys/class/net/lo/statistics/rx_missed_errors").unwrap();
    count.trim().parse::<u64>().unwrap();
}

#[track_caller]
fn assert_refused<T>(result: io::Result<T>) {
    match result {
        Ok(_) => panic!("this should have been refused"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
    }
}

fn calls(role: Role) -> bool {
    confined("seccomp", Sandbox::Require.confine_calls(role))
}

/// Whether the kernel could; says so aloud where it could not.
fn confined(what: &str, result: Result<Vec<String>, String>) -> bool {
    result.map_err(|why| warn(&format!("{what} was not tested: {why}"))).is_ok()
}

fn needs_root(what: &str, test: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() || geteuid().is_root() {
        return test();
    }
    warn(&format!("{what} was not tested: it needs root"));
}

fn warn(line: &str) {
    // Not through the test harness, which would keep it to itself.
    let _ = writeln!(io::stderr(), "WARNING: {line}");
}

/// Runs `inside` in a process of its own, which must end well.
#[track_caller]
fn in_a_process(test: &str, inside: impl FnOnce(&Path)) {
    if let Some(status) = run(test, inside) {
        assert!(status.success(), "{test}: {status}");
    }
}

/// How a process ended that runs `inside` alone; nothing in that process.
fn run(test: &str, inside: impl FnOnce(&Path)) -> Option<ExitStatus> {
    if let Some(state) = env::var_os(INSIDE) {
        inside(&PathBuf::from(state));
        return None;
    }
    let state = tempfile::tempdir().unwrap();
    // Whoever the process becomes may write there.
    fs::set_permissions(state.path(), Permissions::from_mode(0o777)).unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    let command = command.args(["--exact", test, "--nocapture"]).env(INSIDE, state.path()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        // For whoever listens on the loopback.
        let _ = noise.send_to(b"noise", "127.0.0.1:9");
        thread::sleep(Duration::from_millis(10));
    }
}
