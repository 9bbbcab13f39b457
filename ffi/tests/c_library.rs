//! The library as C programs use it: header, symbols, example, and the same verdicts as the engine gives.

use mailward_core::{
    config::Config,
    engine::{ConnectFacts, Engine, MailFacts, SessionOptions, Shared},
    lookup::{Deadline, dns::Zone},
    store::{Counters, Ledger, Store},
};
use std::{
    ffi::CString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    ptr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const CLIENT: &str = "192.0.2.7";
const SENDER: &str = "anna@example.net";
const RECIPIENT: &str = "bob@example.com";
const ZONE: &str = "192.0.2.7 PTR mx.example.net\nmx.example.net A 192.0.2.7\n\
    example.net TXT v=spf1 ip4:192.0.2.7 -all\n_dmarc.example.net TXT v=DMARC1; p=reject\n";

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn header() -> String {
    fs::read_to_string(package().join("include/mailward.h")).expect("the header")
}

/// The library that this test was built with: beside the test or one folder above, whichever is newer.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let folders = test.ancestors().skip(1).take(2);
    let built = folders.map(|folder| folder.join("libmailward.so")).filter(|file| file.exists());
    built.max_by_key(|file| file.metadata().and_then(|m| m.modified()).ok()).expect("libmailward.so was built")
}

/// A folder of this test alone.
fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mailward-ffi-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Compiles a C program with all warnings as errors.
fn compile(compiler: &str, language: &[&str], source: &Path, folder: &Path) -> PathBuf {
    let library = library();
    let program = folder.join(source.file_stem().expect("a name"));
    let output = Command::new(compiler)
        .args(language)
        .args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(package().join("include"))
        .arg(source)
        .arg(&library)
        .arg("-lresolv")
        // An rpath, which goes before the LD_LIBRARY_PATH that cargo sets: there may be an older build.
        .arg(format!("-Wl,--disable-new-dtags,-rpath,{}", library.parent().expect("a folder").display()))
        .arg("-o")
        .arg(&program)
        .output()
        .expect("a C compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

fn example() -> PathBuf {
    package().join("../examples/c/check_message.c")
}

fn text(output: &Output) -> String {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// A message with LF line ends, as files have them.
fn message(body: &str) -> String {
    format!(
        "From: Anna <{SENDER}>\nTo: {RECIPIENT}\nSubject: lunch\nDate: Sun, 1 Nov 2026 10:00:00 +0000\n\
        Message-ID: <1@example.net>\n\n{body}\n"
    )
}

/// Test strings are put together here, so that no scanner objects to this file.
fn eicar() -> String {
    message(&[r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat())
}

fn gtube() -> String {
    message(&["XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-", "ANTI-UBE-TEST-EMAIL*C.34X"].concat())
}

/// The explanation that the engine itself gives.
fn explanation_of_the_engine(message: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(async {
        let shared = Shared::in_memory(Some(Zone::parse(ZONE).expect("a zone")));
        let engine = Engine::build(Config::default(), shared).await.expect("an engine");
        let mut session = engine.session(SessionOptions::default());
        let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs().cast_signed();
        let client_ip = Some(CLIENT.parse().expect("an address"));
        let client = ConnectFacts { time, client_ip, client_name: None, mta_name: None, local_submission: false };
        assert_eq!(session.connect(client).await.reply, None);
        session.helo(b"client.example", None);
        let facts = MailFacts { time, sender: SENDER.as_bytes(), parameters: Vec::new(), login: None, tls: None };
        assert_eq!(session.mail(facts).await.reply, None);
        assert_eq!(session.rcpt(time, RECIPIENT.as_bytes(), None).await.reply, None);
        session.whole_message(message.replace('\n', "\r\n").as_bytes());
        let judged = session.end_of_message(time, Some("example".to_owned())).await;
        serde_json::to_string(&judged.report.explanation).expect("JSON")
    })
}

#[test]
fn the_c_example_judges_as_the_engine_does() {
    let folder = scratch("example");
    let program = compile("cc", &["-std=c99"], &example(), &folder);
    let zone = folder.join("zone");
    fs::write(&zone, ZONE).expect("a file");
    let clean = message("Shall we?");
    let large = message(&"A line of a large message, larger than a piece that the example writes.\n".repeat(2_000));
    for (name, mail, status, expected) in [
        ("clean", clean, 0, "verdict: accept\nedit: add header (occurrence 0)\n  name: Authentication-Results\n"),
        ("large", large, 0, "verdict: accept\n"),
        ("eicar", eicar(), 1, "verdict: reply\ncode: 550\nenhanced: 5.7.1\ntext: "),
        ("gtube", gtube(), 1, "verdict: reply\ncode: 550\nenhanced: 5.7.1\ntext: "),
    ] {
        let file = folder.join(name);
        fs::write(&file, &mail).expect("a file");
        let output = Command::new(&program)
            .arg("-d")
            .arg(&zone)
            .args(["-i", CLIENT, "-f", SENDER, "-t", RECIPIENT])
            .arg(&file)
            .output()
            .expect("it runs");
        let said = text(&output);
        assert_eq!(output.status.code(), Some(status), "{name}: {said}");
        assert!(said.starts_with(expected), "{name}: {said}");
        let (_, explanation) = said.split_once("explanation: ").expect("an explanation");
        assert_eq!(explanation.trim_end(), explanation_of_the_engine(&mail), "{name}");
    }
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn a_refused_recipient_is_explained_and_faults_are_told() {
    let folder = scratch("refused");
    let program = compile("cc", &["-std=c99"], &example(), &folder);
    let config = folder.join("mailward.toml");
    let members = folder.join("members.csv");
    fs::write(&members, "address\nanna@example.com\n").expect("a file");
    let directory = format!("[directory]\ndomains = [\"example.com\"]\nfiles = [\"{}\"]\n", members.display());
    fs::write(&config, directory).expect("a file");
    let run = |recipient: &str| Command::new(&program).arg("-c").arg(&config).args(["-t", recipient]).output();
    let output = run("nobody@example.com").expect("it runs");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("verdict: reply\ncode: 550\nenhanced: 5.1.1\ntext: No such recipient here [ref "),
        "{said}"
    );
    assert!(said.contains("\"because\":\"unknown recipient\""), "{said}");

    fs::write(&config, "[[policy]]\nname = \"x\"\nthen = \"rejekt\"\n").expect("a file");
    let output = run("anna@example.com").expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("mailward.toml:3:8: then is \"rejekt\"") && said.contains("(status 2)"), "{said}");
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn null_is_an_argument_like_any_other_and_a_forked_child_is_told() {
    let folder = scratch("programs");
    fs::write(folder.join("zone"), ZONE).expect("a file");
    for name in ["null_arguments.c", "forked_child.c"] {
        let program = compile("cc", &["-std=c99"], &package().join("tests/c").join(name), &folder);
        let output = Command::new(&program).arg(folder.join("zone")).output().expect("it runs");
        assert!(output.status.success(), "{name}: {:?} {}", output.status, text(&output));
    }
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn a_host_without_executable_memory_judges_mail_and_keeps_its_signals() {
    let folder = scratch("hardened");
    fs::write(folder.join("zone"), ZONE).expect("a file");
    let program = compile("cc", &["-std=c99"], &package().join("tests/c/hardened_host.c"), &folder);
    let output = Command::new(&program).arg(folder.join("zone")).output().expect("it runs");
    assert!(output.status.success(), "{:?} {}", output.status, String::from_utf8_lossy(&output.stderr));
    let _ = fs::remove_dir_all(folder);
}

/// Programs that use the whole interface, rightly and wrongly. Each takes a folder for state and files.
const PROGRAMS: [(&str, &str, &[&str]); 3] = [
    ("interface.c", "cc", &["-std=c99", "-g"]),
    ("misuse.c", "cc", &["-std=c99", "-g"]),
    ("owners.cc", "c++", &["-std=c++11", "-g", "-pthread"]),
];

/// Runs one of [`PROGRAMS`], by itself or under another program.
fn run(name: &str, more: &[&str], under: &[&str]) {
    let (_, compiler, language) = PROGRAMS.into_iter().find(|(program, ..)| *program == name).expect("a program");
    let folder = scratch(&format!("{name}{}{}", more.len(), under.len()));
    let flags: Vec<&str> = language.iter().chain(more).copied().collect();
    let program = compile(compiler, &flags, &package().join("tests/c").join(name), &folder);
    let mut words = under.iter().map(std::ffi::OsStr::new).chain([program.as_os_str(), folder.as_os_str()]);
    let output = Command::new(words.next().expect("a program")).args(words).output().expect("it runs");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {:?}\n{said}\n{errors}", output.status);
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn the_whole_interface_works_from_c_and_cplusplus() {
    for (name, ..) in PROGRAMS {
        run(name, &[], &[]);
    }
}

#[test]
fn programs_of_c_and_cplusplus_pass_under_the_address_sanitizer() {
    for (name, ..) in PROGRAMS {
        run(name, &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"], &[]);
    }
}

#[test]
fn random_calls_get_an_answer_each() {
    let seconds = std::env::var("MAILWARD_RANDOM_SECONDS").unwrap_or_else(|_| "4".to_owned());
    let folder = scratch("random");
    let zone = folder.join("zone");
    fs::write(&zone, ZONE).expect("a file");
    let flags = ["-std=c99", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let program = compile("cc", &flags, &package().join("tests/c/random_calls.c"), &folder);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs().to_string();
    for seed in ["1", "2", &time] {
        let output = Command::new(&program).args([seed, &seconds]).arg(&zone).output().expect("it runs");
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "seed {seed}: {:?}\n{said}\n{errors}", output.status);
    }
    let _ = fs::remove_dir_all(folder);
}

/// Leaks count that nothing points to; what lives as long as the process (tables, threads' own memory) does not.
const MEMCHECK: [&str; 6] = [
    "valgrind",
    "-q",
    "--error-exitcode=9",
    "--leak-check=full",
    "--show-leak-kinds=definite,indirect",
    "--errors-for-leak-kinds=definite,indirect",
];

#[test]
fn the_interface_passes_under_memcheck() {
    run("interface.c", &[], &MEMCHECK);
}

#[test]
fn misuse_and_cplusplus_pass_under_memcheck() {
    run("misuse.c", &[], &MEMCHECK);
    run("owners.cc", &[], &MEMCHECK);
}

#[test]
fn threads_pass_under_helgrind() {
    let suppressions = format!("--suppressions={}", package().join("tests/c/helgrind.supp").display());
    let helgrind = ["valgrind", "-q", "--tool=helgrind", "--error-exitcode=9", &suppressions];
    run("owners.cc", &[], &helgrind);
}

/// A DNS server that knows one text, of every name, and nothing else.
fn dns_with_text(text: &'static str) -> std::net::SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("an address");
    std::thread::spawn(move || {
        let mut packet = [0; 1_500];
        while let Ok((_, from)) = socket.recv_from(&mut packet) {
            let labels = packet[12..].iter().position(|byte| *byte == 0).expect("the end of a name");
            let end = 12 + labels + 5;
            let is_text = packet[end - 4..end - 2] == [0, 16];
            let mut answer = packet[..end].to_vec();
            let code = if is_text { 0 } else { 3 };
            answer[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, is_text.into(), 0, 0, 0, 0]);
            if is_text {
                let len = u8::try_from(text.len()).expect("a short text");
                answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, len + 1, len]);
                answer.extend(text.as_bytes());
            }
            let _ = socket.send_to(&answer, from);
        }
    });
    address
}

#[test]
fn a_program_answers_dns_with_its_own_resolver() {
    let folder = scratch("resolver");
    let source = package().join("../examples/c/own_resolver.c");
    let program = compile("cc", &["-std=c99"], &source, &folder);
    for (record, finding) in [("v=spf1 -all", "spf.fail"), ("v=spf1 ip4:192.0.2.7 -all", "spf.pass")] {
        let server = dns_with_text(record);
        let mut child = Command::new(&program)
            .args([CLIENT, SENDER, RECIPIENT, "127.0.0.1", &server.port().to_string()])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut input = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut input, message("Shall we?").replace('\n', "\r\n").as_bytes()).expect("read");
        drop(input);
        let said = text(&child.wait_with_output().expect("it ends"));
        assert!(said.contains(finding), "{said}");
    }
    let _ = fs::remove_dir_all(folder);
}

/// Sum of a counter of the state.
fn counted(state: &Path, key: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let ledger = Ledger::new(Counters::open(state));
        let deadline = Deadline::after(Duration::from_secs(5));
        let read = ledger.read(&[key.to_owned()], 0, deadline).await;
        read.done().expect("an answer")[0].total()
    })
}

#[test]
fn processes_of_two_users_that_harvest_together_are_counted_together() {
    let is_root = Command::new("id").arg("-u").output().expect("coreutils").stdout == b"0\n";
    assert!(is_root, "two users need root, as all of `make test` does");
    let folder = scratch("processes");
    let (state, config, members) = (folder.join("state"), folder.join("mailward.toml"), folder.join("members.csv"));
    fs::create_dir(&state).expect("a folder");
    // As the package makes it: both users' files belong to the group of the folder.
    let made = Command::new("sh").args(["-c", "chgrp 65534 \"$1\" && chmod 2770 \"$1\"", "sh"]).arg(&state).status();
    assert!(made.expect("a shell").success());
    fs::write(&members, "address\nanna@example.com\n").expect("a file");
    let settings = format!(
        "[directory]\ndomains = [\"example.com\"]\nfiles = [\"{}\"]\n\
         [dha]\nmode = \"enforce\"\nburst_unknown = 1000\nwindow_unknown = 40\nsession_delay = \"0s\"\n",
        members.display()
    );
    fs::write(&config, settings).expect("a file");
    let program = compile("cc", &["-std=c99"], &package().join("tests/c/processes.c"), &folder);
    let run = || {
        let output = Command::new(&program).args([&config, &state]).arg("65534").output().expect("it runs");
        text(&output)
    };
    assert_eq!(run(), "32 unknown, 0 otherwise\n");
    assert_eq!(counted(&state, "dha/mail/192.0.2.7/32/u"), 32, "each once");
    assert_eq!(counted(&state, "rate/192.0.2.7/32/connections"), 16, "by whichever user");
    // No process sees more than two itself: together they reach the limit, and the rest is blocked.
    let said = run();
    let unknown: u64 = said.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    assert!((7..24).contains(&unknown), "{said}");
    assert_eq!(counted(&state, "rate/192.0.2.7/32/connections"), 32, "for the limits of floods");
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn an_installed_library_is_found_by_pkg_config() {
    let folder = scratch("installed");
    let install = Command::new("make")
        .args(["-s", "-C"])
        .arg(package().join(".."))
        .args(["install-library", &format!("DESTDIR={}", folder.display()), "PREFIX=/usr"])
        .arg(format!("LIBRARY={}", library().display()))
        .output()
        .expect("make");
    assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
    let (usr, program) = (folder.join("usr"), folder.join("check_message"));
    let built = Command::new("sh")
        .args(["-c", "cc -std=c99 -Werror \"$1\" $(pkg-config --cflags --libs mailward) -o \"$2\"", "sh"])
        .args([&example(), &program])
        .env("PKG_CONFIG_PATH", usr.join("lib/pkgconfig"))
        .env("PKG_CONFIG_SYSROOT_DIR", &folder)
        .output()
        .expect("a shell");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let mail = folder.join("mail");
    fs::write(&mail, message("Shall we?")).expect("a file");
    let ran = Command::new(&program).env("LD_LIBRARY_PATH", usr.join("lib")).arg(&mail).output().expect("it runs");
    assert!(text(&ran).starts_with("verdict: accept\n"));
    // The static library: its own SQLite and TLS stay inside, and the program needs no other file.
    let archive = usr.join("lib/libmailward.a");
    let defined = Command::new("nm").args(["--defined-only", "-g"]).arg(&archive).output().expect("nm");
    let defined = text(&defined);
    let names: Vec<&str> = defined.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    let list = fs::read_to_string(package().join("abi/symbols.txt")).expect("the list");
    assert_eq!(names, list.lines().collect::<Vec<_>>(), "the same symbols as the shared library");
    let alone = folder.join("check_message_alone");
    let built = Command::new("sh")
        .args([
            "-c",
            "cc -std=c99 -Werror \"$1\" $(pkg-config --cflags mailward) \"$2\" -lm -ldl -lpthread -o \"$3\"",
            "sh",
        ])
        .args([&example(), &archive, &alone])
        .env("PKG_CONFIG_PATH", usr.join("lib/pkgconfig"))
        .env("PKG_CONFIG_SYSROOT_DIR", &folder)
        .output()
        .expect("a shell");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let ran = Command::new(&alone).arg(&mail).output().expect("it runs");
    assert!(text(&ran).starts_with("verdict: accept\n"));
    // The number of the interface keeps programs that were built with another one from starting.
    let needs = Command::new("readelf").arg("-d").arg(&program).output().expect("readelf");
    let name = format!("[libmailward.so.{}]", mailward::mw_abi_version());
    assert!(text(&needs).contains(&name), "it needs {name}");
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn the_header_may_stand_twice_and_in_cplusplus() {
    let folder = scratch("cplusplus");
    let source = folder.join("twice.cc");
    let example = fs::read_to_string(example()).expect("the example");
    fs::write(&source, format!("#include <mailward.h>\n{example}")).expect("a file");
    compile("c++", &["-std=c++11"], &source, &folder);
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn the_library_exports_what_the_list_and_the_header_have() {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().expect("nm");
    let exported: Vec<String> =
        text(&output).lines().filter_map(|line| line.split_whitespace().nth(2).map(str::to_owned)).collect();
    let list = fs::read_to_string(package().join("abi/symbols.txt")).expect("the list");
    assert_eq!(exported, list.lines().collect::<Vec<_>>(), "abi/symbols.txt lists the interface, sorted");
    let header = header();
    for symbol in &exported {
        assert!(header.contains(&format!(" {symbol}(")) || header.contains(&format!("*{symbol}(")), "{symbol}");
    }
}

#[test]
fn header_and_library_have_the_same_number() {
    let header = header();
    let number = header.lines().find_map(|line| line.strip_prefix("#define MW_ABI_VERSION ")).expect("a number");
    assert_eq!(number.parse(), Ok(mailward::mw_abi_version()));
    let version = header.lines().find_map(|line| line.strip_prefix("#define MW_VERSION ")).expect("a version");
    assert_eq!(version.trim_matches('"'), env!("CARGO_PKG_VERSION"));
}

#[test]
fn state_is_kept_in_the_directory_that_the_options_name() {
    let folder = scratch("state");
    let state = folder.join("made if need be");
    let path = CString::new(state.to_str().expect("text")).expect("no NUL");
    let options = mailward::EngineOptions {
        struct_size: size_of::<mailward::EngineOptions>(),
        state_dir: path.as_ptr(),
        dns_zone: ptr::null(),
        resolver: ptr::null(),
        host: 0,
        record: 0,
    };
    let words = |text: &str| mailward::Text { data: text.as_ptr().cast(), len: text.len() };
    let none = ptr::null_mut();
    let (mut engine, mut session, mut verdict) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: handles are used as the header says; texts and options outlive the calls.
    let reference = unsafe {
        assert_eq!(mailward::mw_engine_open(ptr::null(), &options, &mut engine, none), 0);
        assert_eq!(mailward::mw_session_open(engine, ptr::null(), &mut session, ptr::null_mut()), 0);
        assert_eq!(mailward::mw_session_mail(session, words("<>"), ptr::null(), &mut verdict, ptr::null_mut()), 0);
        assert_eq!(mailward::mw_session_rcpt(session, words(RECIPIENT), &mut verdict, ptr::null_mut()), 0);
        let piece = words("Subject: x\r\n\r\nhello\r\n");
        assert_eq!(mailward::mw_session_write(session, piece, ptr::null_mut()), 0);
        assert_eq!(mailward::mw_session_end_of_message(session, words("q1"), &mut verdict, ptr::null_mut()), 0);
        mailward::mw_session_free(session);
        mailward::mw_engine_free(engine);
        let reference = mailward::mw_verdict_reference(verdict);
        let reference = std::slice::from_raw_parts(reference.data.cast::<u8>(), reference.len).to_vec();
        mailward::mw_verdict_free(verdict);
        String::from_utf8(reference).expect("text")
    };
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let store = Store::open(&state, 30).expect("the state");
    let row = runtime.block_on(store.find(&reference)).expect("an answer").expect("a row");
    assert_eq!((row.queue_id.as_str(), row.recipients), ("q1", vec![RECIPIENT.to_owned()]));
    let _ = fs::remove_dir_all(folder);
}
