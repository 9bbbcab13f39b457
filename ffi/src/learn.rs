//! Learning one message at a time.

use crate::{
    engine::{Shareable, block_on},
    error::Failure,
    facts::now,
};
use mailward_core::{
    engine::{Learner, LearningError, Learnt, features},
    spam::classifier::Class,
};

const HAM: i32 = 1;
const SPAM: i32 = 2;

/// Learns a message; what became of it, as `MW_LEARNT_...`.
pub(crate) fn learn(engine: &Shareable, class: i32, message: &[u8]) -> Result<i32, Failure> {
    let class = match class {
        HAM => Class::Ham,
        SPAM => Class::Spam,
        other => return Err(Failure::argument(format!("class is {other}, not MW_CLASS_HAM or MW_CLASS_SPAM"))),
    };
    let Some((dir, shared)) = engine.state() else {
        return Err(Failure::argument("the model is kept in the state: open the engine with a state_dir"));
    };
    let store = shared.store().ok_or_else(|| Failure::system("the state has no store"))?;
    let learning = async {
        let mut learner = Learner::open(dir, store, now()).await?;
        let learnt = learner.learn(&[features(message)], class, false).await?;
        learner.save(now()).await?;
        Ok(learnt.first().copied().unwrap_or(Learnt::Empty))
    };
    let learnt = block_on(learning)?.map_err(|error: LearningError| Failure::system(error.to_string()))?;
    shared.refresh_model();
    Ok(match learnt {
        Learnt::Learned => 1,
        Learnt::Known => 2,
        Learnt::Corrected => 3,
        Learnt::Empty | Learnt::Forgotten | Learnt::Unknown => 4,
    })
}
