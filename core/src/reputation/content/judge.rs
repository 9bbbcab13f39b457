//! What the answers mean.

use super::{
    super::{
        ask::is_listing,
        judge::{shown, weight},
    },
    Answer, ContentList, Key,
};
use crate::{
    lookup::{OnTrouble, Outcome},
    verdict::{Finding, Judgement, Points, Reply},
};

/// Most names told in one finding. Unit: names. Source: our own limit.
const TOLD: usize = 5;

/// One finding for each list that lists something, by its heaviest answer, and one for each that could not be asked.
pub fn judge(lists: &[ContentList], answers: &[Answer]) -> Judgement {
    let mut judgement = Judgement::default();
    for list in lists {
        let family = match list.key {
            Key::Domain { .. } => "uribl",
            Key::Address(_) => "hashbl",
        };
        let id = format!("{family}.{}", list.name);
        let (mut listed, mut points, mut trouble) = (Vec::new(), Points::ZERO, None);
        for answer in answers.iter().filter(|answer| answer.list == list.name) {
            match said(list, answer) {
                Ok(None) => {}
                Ok(Some(heaviest)) => {
                    points = if listed.is_empty() { heaviest } else { points.max(heaviest) };
                    listed.push(answer.about.as_str());
                }
                Err(why) => trouble = trouble.or(Some(why)),
            }
        }
        if !listed.is_empty() {
            let finding = Finding::new(id.clone(), points, format!("listed by {}", shown(&list.zone)));
            judgement.findings.push(listed.into_iter().take(TOLD).fold(finding, |finding, about| finding.fact(about)));
        }
        if let Some(why) = trouble {
            let source = format!("no answer of {}", shown(&list.zone));
            judgement.findings.push(Finding::new(format!("{id}.trouble"), Points::ZERO, source).fact(why));
            if list.on_trouble == OnTrouble::Defer {
                let text = "Your message cannot be checked now, please try again later";
                judgement.reply.get_or_insert_with(|| Reply::fixed(451, (4, 7, 1), text));
            }
        }
    }
    judgement
}

/// The weight of the heaviest answer that says "listed", if one does.
fn said(list: &ContentList, answer: &Answer) -> Result<Option<Points>, String> {
    let found = match &answer.outcome {
        Outcome::Done(found) => found,
        trouble => return Err(trouble.trouble().unwrap_or_default()),
    };
    if answer.lists_everything {
        return Err("the list lists everything: it is not believed".to_owned());
    }
    if let Some(error) = found.iter().find(|answer| !is_listing(**answer, &list.errors)) {
        return Err(format!("the list refuses our question: {error}"));
    }
    Ok(found.iter().map(|&answer| weight(&list.points, answer)).max())
}
