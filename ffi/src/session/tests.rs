use super::{calls::on_session, *};
use crate::{
    facts::ConnectFacts,
    mw_engine_free, mw_engine_open, mw_error_free, mw_error_message,
    text::{Text, sized},
};
use std::ptr;

fn session() -> *mut Session {
    let (mut engine, mut session) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: NULL is allowed where it is given, and the places may be written.
    unsafe {
        assert_eq!(mw_engine_open(ptr::null(), ptr::null(), &mut engine, ptr::null_mut()), 0);
        assert_eq!(mw_session_open(engine, ptr::null(), &mut session, ptr::null_mut()), 0);
        mw_engine_free(engine);
    }
    session
}

#[test]
fn a_panic_stays_inside_and_poisons_the_session() {
    let session = session();
    let mut error = ptr::null_mut();
    // SAFETY: the session is open and of this thread, and the place may be written.
    unsafe {
        assert_eq!(on_session(session, &mut error, |_| panic!("a fault made for this test")), 6);
        let message = mw_error_message(error).bytes("message").expect("a text");
        assert_eq!(message, b"internal fault, please report it: a fault made for this test");
        mw_error_free(error);
        assert_eq!(mw_session_helo(session, Text::EMPTY, ptr::null_mut()), 7);
        mw_session_free(session);
    }
}

#[test]
fn the_end_of_the_header_is_seen_however_the_message_is_cut() {
    for message in [&b"A: b\r\nC: d\r\n\r\nbody"[..], b"A: b\n\nbody", b"\r\nbody", b"\nbody"] {
        for cut in 0..=message.len() {
            let seen = ends_header(&message[..cut], 0) || ends_header(message, cut);
            assert!(seen, "{:?} cut at {cut}", message.escape_ascii().to_string());
        }
    }
    assert!(!ends_header(b"A: b\r\n c\r\nD: e\r\n", 0));
}

#[test]
fn commands_out_of_order_are_refused_and_leave_the_session_usable() {
    let session = session();
    let mut verdict = ptr::null_mut();
    let (sender, recipient) = (Text::of("<>"), Text::of("a@example.com"));
    let none = ptr::null_mut();
    // SAFETY: the session is open and of this thread, and the places may be written.
    unsafe {
        assert_eq!(mw_session_rcpt(session, recipient, &mut verdict, none), 4);
        assert_eq!(mw_session_write(session, sender, none), 4);
        assert_eq!(mw_session_mail(session, sender, ptr::null(), &mut verdict, none), 0);
        assert_eq!(mw_session_mail(session, sender, ptr::null(), &mut verdict, none), 4);
        assert_eq!(mw_session_end_of_message(session, Text::EMPTY, &mut verdict, none), 4);
        assert_eq!(mw_session_rcpt(session, recipient, &mut verdict, none), 0);
        assert!(verdict.is_null(), "taken");
        assert_eq!(mw_session_write(session, Text::of("Subject: x\r\n\r\n"), none), 0);
        assert_eq!(mw_session_rcpt(session, recipient, &mut verdict, none), 4);
        assert_eq!(mw_session_reset(session, &mut verdict, none), 0);
        assert!(verdict.is_null(), "nothing was refused");
        assert_eq!(mw_session_mail(session, sender, ptr::null(), &mut verdict, none), 0);
        mw_session_free(session);
    }
}

#[test]
fn a_struct_may_be_shorter_or_longer_than_the_library_knows_it() {
    let size = size_of::<ConnectFacts>();
    let mut longer = vec![0_usize; size / size_of::<usize>() + 2];
    for (given, accepted) in [(size_of::<usize>(), true), (size + 8, true), (0, false), (1 << 20, false)] {
        longer[0] = given;
        // SAFETY: `longer` has the bytes that it says, but for sizes that are refused before they are used.
        let facts = unsafe { sized::<ConnectFacts>(longer.as_ptr().cast(), "facts") };
        assert_eq!(facts.is_ok(), accepted, "{given}");
    }
    longer[0] = size + 8;
    longer[size / size_of::<usize>()] = 1;
    // SAFETY: `longer` has the bytes that it says.
    let facts = unsafe { sized::<ConnectFacts>(longer.as_ptr().cast(), "facts") };
    assert!(facts.is_err(), "a member that the library does not know is set");
}

#[test]
fn one_engine_serves_many_threads_at_a_time() {
    let mut engine = ptr::null_mut();
    // SAFETY: NULL is allowed where it is given, and the place may be written.
    assert_eq!(unsafe { mw_engine_open(ptr::null(), ptr::null(), &mut engine, ptr::null_mut()) }, 0);
    // SAFETY: the engine is open until the end of this function.
    let shared = unsafe { &*engine };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || {
                // SAFETY: all texts are empty.
                let facts = unsafe { none_of_it().read() }.expect("facts");
                let mut session = Session::open(shared, facts).expect("a session");
                let mail = engine::MailFacts { time: now(), sender: b"<>", parameters: vec![], login: None, tls: None };
                assert!(session.mail(mail).expect("in order").is_none());
                assert!(session.rcpt(b"a@example.com").expect("in order").is_none());
                for byte in b"Subject: x\r\n\r\nhello\r\n" {
                    session.write(&[*byte]).expect("in order");
                }
                let verdict = session.end_of_message(None).expect("a verdict");
                // SAFETY: the verdict lives until the end of the block.
                assert_eq!(unsafe { crate::mw_verdict_action(&verdict) }, 0);
            });
        }
    });
    // SAFETY: nobody uses the engine any more.
    unsafe { mw_engine_free(engine) };
}

fn none_of_it() -> ConnectFacts {
    // SAFETY: NULL means all zero.
    unsafe { sized(ptr::null(), "facts") }.expect("zeros")
}
