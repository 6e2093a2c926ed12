use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Wake,
    time::Duration,
};

use super::*;

const URL: &str = "https://login.test/token";
const NOW: Moment = Moment::from_nanos(1);

fn tokens() -> Arc<Tokens> {
    Arc::new(Tokens::new(OAuth2::client_credentials(URL, "app", "hunter2").expect("a grant")))
}

fn later(seconds: u64) -> Moment {
    NOW.plus(Duration::from_secs(seconds))
}

#[track_caller]
fn lead(tokens: &Arc<Tokens>, refused: Option<u64>, now: Moment) -> Lead {
    match tokens.turn(refused, now, true) {
        Turn::Fetch(lead) => lead,
        Turn::Use(token) => panic!("used the token {}", token.number),
        Turn::Wait(_) => panic!("waited"),
    }
}

#[track_caller]
fn wait(tokens: &Arc<Tokens>) -> Wait {
    let Turn::Wait(wait) = tokens.turn(None, NOW, true) else { panic!("did not wait") };
    wait
}

fn number(tokens: &Arc<Tokens>, refused: Option<u64>, now: Moment) -> Option<u64> {
    match tokens.turn(refused, now, true) {
        Turn::Use(token) => Some(token.number),
        Turn::Fetch(_) | Turn::Wait(_) => None,
    }
}

fn grant(lead: Lead, body: &str) -> Token {
    lead.answered(StatusCode::OK, body.as_bytes(), NOW).expect("a token")
}

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll(wait: &mut Wait, bell: &Arc<Bell>) -> Poll<Result<(), Failure>> {
    let waker = Waker::from(Arc::clone(bell));
    pin!(wait).poll(&mut Context::from_waker(&waker))
}

#[test]
fn rfc_6749_section_5_1_a_token_is_kept_until_shortly_before_it_runs_out() {
    let tokens = tokens();
    grant(lead(&tokens, None, NOW), r#"{"access_token":"t","expires_in":3600}"#);
    assert_eq!(number(&tokens, None, later(3569)), Some(1));
    assert_eq!(number(&tokens, None, later(3570)), None);

    // A tenth of a short life is less than the leeway.
    grant(lead(&tokens, None, later(3570)), r#"{"access_token":"t","expires_in":10}"#);
    assert_eq!(number(&tokens, None, later(8)), Some(3));
    assert_eq!(number(&tokens, None, later(9)), None);

    grant(lead(&tokens, None, later(9)), r#"{"access_token":"t"}"#);
    assert_eq!(number(&tokens, None, later(1 << 30)), Some(5));
}

#[test]
fn a_refused_token_is_replaced_once_for_all_who_had_it() {
    let tokens = tokens();
    let first = grant(lead(&tokens, None, NOW), r#"{"access_token":"t"}"#).number;
    let second = grant(lead(&tokens, Some(first), NOW), r#"{"access_token":"u"}"#).number;
    assert!(second > first);
    // Another caller comes with the refusal of the first.
    assert_eq!(number(&tokens, Some(first), NOW), Some(second));
}

#[test]
fn all_who_wait_are_woken_by_the_token() {
    let (tokens, bell) = (tokens(), Arc::new(Bell::default()));
    let leader = lead(&tokens, None, NOW);
    let (mut one, mut other) = (wait(&tokens), wait(&tokens));
    assert!(poll(&mut one, &bell).is_pending() && poll(&mut one, &bell).is_pending());
    let other_bell = Arc::new(Bell::default());
    assert!(poll(&mut other, &other_bell).is_pending());
    grant(leader, r#"{"access_token":"t"}"#);
    for bell in [&bell, &other_bell] {
        assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    }
    assert!(matches!(poll(&mut one, &bell), Poll::Ready(Ok(()))));
    assert_eq!(number(&tokens, None, NOW), Some(1));
}

#[test]
fn who_may_not_wait_fetches_too_and_the_newest_token_stays() {
    let (tokens, bell) = (tokens(), Arc::new(Bell::default()));
    let first = lead(&tokens, None, NOW);
    let mut waiting = wait(&tokens);
    assert!(poll(&mut waiting, &bell).is_pending());
    let Turn::Fetch(second) = tokens.turn(None, NOW, false) else { panic!("did not fetch") };
    let second = grant(second, r#"{"access_token":"u"}"#).number;
    assert!(matches!(poll(&mut waiting, &bell), Poll::Ready(Ok(()))));
    assert_eq!(number(&tokens, None, NOW), Some(second));
    assert!(grant(first, r#"{"access_token":"t"}"#).number < second);
    assert_eq!(number(&tokens, None, NOW), Some(second));
}

#[test]
fn one_of_those_who_wait_takes_over_when_the_first_gives_up() {
    let (tokens, bell) = (tokens(), Arc::new(Bell::default()));
    let leader = lead(&tokens, None, NOW);
    let (mut one, mut other) = (wait(&tokens), wait(&tokens));
    assert!(poll(&mut one, &bell).is_pending() && poll(&mut other, &bell).is_pending());
    drop(leader);
    assert!(matches!(poll(&mut one, &bell), Poll::Ready(Ok(()))));
    let second = lead(&tokens, None, NOW);
    assert!(matches!(poll(&mut other, &bell), Poll::Ready(Ok(()))));
    let mut other = wait(&tokens);
    assert!(poll(&mut other, &bell).is_pending());
    grant(second, r#"{"access_token":"t"}"#);
    assert!(matches!(poll(&mut other, &bell), Poll::Ready(Ok(()))));
}

#[test]
fn a_failure_is_told_to_those_who_waited_for_it_and_to_nobody_else() {
    let (tokens, bell) = (tokens(), Arc::new(Bell::default()));
    let leader = lead(&tokens, None, NOW);
    let mut waiting = wait(&tokens);
    assert!(poll(&mut waiting, &bell).is_pending());
    let body = br#"{"error":"invalid_client","error_description":"not hunter2"}"#;
    let failure = leader.answered(StatusCode::UNAUTHORIZED, body, NOW).err().expect("no token");
    assert_eq!(&*failure.0, "it answered 401: invalid_client (not ...)");
    match poll(&mut waiting, &bell) {
        Poll::Ready(Err(told)) => assert_eq!(told.0, failure.0),
        other => panic!("{other:?}"),
    }
    // The next caller tries again, and those who wait for that one do not hear of the last.
    let leader = lead(&tokens, None, NOW);
    let mut waiting = wait(&tokens);
    drop(leader);
    assert!(matches!(poll(&mut waiting, &bell), Poll::Ready(Ok(()))));
}

#[test]
fn rfc_6749_section_6_a_new_refresh_token_takes_the_place_of_the_old_one() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    let told = OAuth2::refresh_token(URL, "app", "first").expect("a grant");
    let told = told.on_refresh_token(move |token| {
        listener.lock().expect("a lock").push(token.to_owned());
    });
    let tokens = Arc::new(Tokens::new(told));
    let leader = lead(&tokens, None, NOW);
    assert!(leader.request().expect("a request").form.contains("refresh_token=first"));
    grant(leader, r#"{"access_token":"t","refresh_token":"second"}"#);
    assert_eq!(*heard.lock().expect("a lock"), ["second"]);

    let leader = lead(&tokens, Some(1), NOW);
    assert!(leader.request().expect("a request").form.contains("refresh_token=second"));
    grant(leader, r#"{"access_token":"u"}"#);
    let leader = lead(&tokens, Some(2), NOW);
    assert!(leader.request().expect("a request").form.contains("refresh_token=second"));
}

#[test]
fn rfc_6749_section_4_4_3_client_credentials_do_not_become_refresh_tokens() {
    let tokens = tokens();
    grant(lead(&tokens, None, NOW), r#"{"access_token":"t","refresh_token":"r"}"#);
    let request = lead(&tokens, Some(1), NOW).request().expect("a request");
    assert_eq!(*request.form, "grant_type=client_credentials");
}
