//! One run of a script: a fresh QuickJS on a thread that serves nobody else meanwhile, within the limits that a node sets.

mod engine;
mod module;
mod worker;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rquickjs::function::IntoArgs;
use rquickjs::{Coerced, Ctx, FromJs, Function, Object, Value};

use super::Host;
use super::check::ScriptFault;
use super::engine::{ScriptError, Stage};

pub(super) use engine::{Deadline, with_engine, with_loader, with_module};
pub(super) use module::{Compiled, exported_function};

/// QuickJS notices its deadline between statements; a single call into its own code can take longer. After this, the
/// thread is given up and left behind.
const GRACE: Duration = Duration::from_secs(1);

const TIMED_OUT: &str = "Operation took too long to complete.";

/// What a script needs of the world outside of its thread.
pub(super) enum Question {
    Endorse { csr_pem: String, valid_from: String, validity_days: u64 },
    NetworkCertificate { valid_from: String, validity_days: u64 },
    LatestLedgerSecretSeqno,
}

pub(super) enum Reply {
    Text(Result<String, String>),
    Seqno(u64),
}

enum Message<T> {
    Ask(Question, Sender<Reply>),
    Done(Result<T, ScriptError>),
}

/// Asks the host, who lives on the calling thread.
pub(super) type Ask = Box<dyn Fn(Question) -> Option<Reply>>;

/// Runs `work` on a worker's thread and answers its questions from `host` until it is done or out of time.
pub(super) fn run<T: Send + 'static>(
    host: Option<&dyn Host>,
    work: impl FnOnce(Ask, Deadline) -> Result<T, ScriptError> + Send + 'static,
) -> Result<T, ScriptError> {
    let deadline = Deadline::new();
    let (sender, receiver) = channel::<Message<T>>();
    let job = move || {
        let questions = sender.clone();
        let ask = move |question| {
            let (answer, answers) = channel();
            questions.send(Message::Ask(question, answer)).ok()?;
            answers.recv().ok()
        };
        let result = work(Box::new(ask), deadline);
        // Nobody listens any more when the caller gave up.
        let _ = sender.send(Message::Done(result));
    };
    worker::give(Box::new(job))
        .map_err(|error| ScriptError::new(Stage::Load, format!("no thread could be started for a script: {error}")))?;
    serve(&receiver, host, deadline)
}

fn serve<T>(receiver: &Receiver<Message<T>>, host: Option<&dyn Host>, deadline: Deadline) -> Result<T, ScriptError> {
    loop {
        match receiver.recv_timeout(deadline.left(GRACE)) {
            Ok(Message::Done(result)) => return result,
            Ok(Message::Ask(question, answers)) => {
                if let Some(host) = host {
                    // A script that has gone meanwhile needs no answer.
                    let _ = answers.send(answer(host, question));
                }
            }
            Err(RecvTimeoutError::Timeout) => return Err(ScriptError::new(Stage::Call, TIMED_OUT)),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(ScriptError::new(Stage::Call, "the script engine failed"));
            }
        }
    }
}

fn answer(host: &dyn Host, question: Question) -> Reply {
    match question {
        Question::Endorse { csr_pem, valid_from, validity_days } => {
            Reply::Text(host.endorse(&csr_pem, &valid_from, validity_days))
        }
        Question::NetworkCertificate { valid_from, validity_days } => {
            Reply::Text(host.network_certificate(&valid_from, validity_days))
        }
        Question::LatestLedgerSecretSeqno => Reply::Seqno(host.latest_ledger_secret_seqno()),
    }
}

/// Calls `function`; what it throws becomes the reason and the trace.
pub(super) fn call<'js>(
    ctx: &Ctx<'js>,
    deadline: Deadline,
    function: &Function<'js>,
    arguments: impl IntoArgs<'js>,
) -> Result<Value<'js>, ScriptError> {
    function.call::<_, Value<'js>>(arguments).map_err(|error| {
        let (reason, trace) = describe(ctx, &error);
        let reason = if deadline.passed() { TIMED_OUT.into() } else { reason };
        ScriptError { stage: Stage::Call, reason, trace }
    })
}

/// Whether JavaScript takes a value for true. A node asks the same of votes and of `valid`.
pub(super) fn is_truthy(value: &Value<'_>) -> bool {
    Coerced::<bool>::from_js(value.ctx(), value.clone()).is_ok_and(|truth| truth.0)
}

/// The text of a value, as `String(value)`; unpaired surrogates are replaced.
pub(super) fn text(ctx: &Ctx<'_>, value: &Value<'_>) -> Option<String> {
    let string = Coerced::<rquickjs::String<'_>>::from_js(value.ctx(), value.clone());
    let Ok(Coerced(string)) = string else {
        ctx.catch();
        return None;
    };
    string.to_string().ok().or_else(|| {
        let object = string.as_value().clone();
        let prototype: Object<'_> = value.ctx().globals().get::<_, Object<'_>>("String").ok()?.get("prototype").ok()?;
        let well_formed: Function<'_> = prototype.get("toWellFormed").ok()?;
        let repaired: rquickjs::String<'_> = well_formed.call((rquickjs::function::This(object),)).ok()?;
        repaired.to_string().ok()
    })
}

/// What went wrong, and in which line: the first one of the trace.
pub(super) fn fault(ctx: &Ctx<'_>, error: &rquickjs::Error) -> ScriptFault {
    let (reason, trace) = describe(ctx, error);
    let first = trace.as_deref().and_then(|trace| trace.lines().next()).unwrap_or_default();
    let numbers = first.trim_end_matches(')').rsplit(':').map_while(|part| part.parse::<u32>().ok()).take(2);
    ScriptFault { reason, line: numbers.last() }
}

/// The reason and the trace of a failed call: the message of an error, the JSON of another object that was thrown, the
/// text of anything else.
fn describe(ctx: &Ctx<'_>, error: &rquickjs::Error) -> (String, Option<String>) {
    if !error.is_exception() {
        return (error.to_string(), None);
    }
    let thrown = ctx.catch();
    if thrown.is_error() {
        let stack = thrown.as_object().and_then(|object| object.get::<_, Value<'_>>("stack").ok());
        let trace = stack.filter(|stack| !stack.is_undefined()).and_then(|stack| text(ctx, &stack));
        return (text(ctx, &thrown).unwrap_or_default(), trace);
    }
    if thrown.is_object() {
        let json = ctx.json_stringify(thrown).ok().flatten();
        return (json.and_then(|json| text(ctx, json.as_value())).unwrap_or_default(), None);
    }
    (text(ctx, &thrown).unwrap_or_default(), None)
}
