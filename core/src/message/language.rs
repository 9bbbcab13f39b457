//! In which language a text is.

use super::script::{self, Script};
use whatlang::Lang;

/// Languages that can be told from others, by their codes in ISO 639-1, sorted.
const LANGUAGES: &[(&str, Lang)] = &[
    ("af", Lang::Afr),
    ("ak", Lang::Aka),
    ("am", Lang::Amh),
    ("ar", Lang::Ara),
    ("az", Lang::Aze),
    ("be", Lang::Bel),
    ("bg", Lang::Bul),
    ("bn", Lang::Ben),
    ("ca", Lang::Cat),
    ("cs", Lang::Ces),
    ("cy", Lang::Cym),
    ("da", Lang::Dan),
    ("de", Lang::Deu),
    ("el", Lang::Ell),
    ("en", Lang::Eng),
    ("eo", Lang::Epo),
    ("es", Lang::Spa),
    ("et", Lang::Est),
    ("fa", Lang::Pes),
    ("fi", Lang::Fin),
    ("fr", Lang::Fra),
    ("gu", Lang::Guj),
    ("he", Lang::Heb),
    ("hi", Lang::Hin),
    ("hr", Lang::Hrv),
    ("hu", Lang::Hun),
    ("hy", Lang::Hye),
    ("id", Lang::Ind),
    ("it", Lang::Ita),
    ("ja", Lang::Jpn),
    ("jv", Lang::Jav),
    ("ka", Lang::Kat),
    ("km", Lang::Khm),
    ("kn", Lang::Kan),
    ("ko", Lang::Kor),
    ("la", Lang::Lat),
    ("lt", Lang::Lit),
    ("lv", Lang::Lav),
    ("mk", Lang::Mkd),
    ("ml", Lang::Mal),
    ("mr", Lang::Mar),
    ("my", Lang::Mya),
    ("nb", Lang::Nob),
    ("ne", Lang::Nep),
    ("nl", Lang::Nld),
    ("or", Lang::Ori),
    ("pa", Lang::Pan),
    ("pl", Lang::Pol),
    ("pt", Lang::Por),
    ("ro", Lang::Ron),
    ("ru", Lang::Rus),
    ("si", Lang::Sin),
    ("sk", Lang::Slk),
    ("sl", Lang::Slv),
    ("sn", Lang::Sna),
    ("sr", Lang::Srp),
    ("sv", Lang::Swe),
    ("ta", Lang::Tam),
    ("te", Lang::Tel),
    ("th", Lang::Tha),
    ("tk", Lang::Tuk),
    ("tl", Lang::Tgl),
    ("tr", Lang::Tur),
    ("uk", Lang::Ukr),
    ("ur", Lang::Urd),
    ("uz", Lang::Uzb),
    ("vi", Lang::Vie),
    ("yi", Lang::Yid),
    ("zh", Lang::Cmn),
    ("zu", Lang::Zul),
];

/// Text that is looked at. Unit: bytes. Source: our own limit; some pages tell as much as a book.
const TEXT_BYTES: usize = 8 << 10;
/// Fewest letters of a text whose words are guessed by the letters that follow each other. Unit: letters. Source: measured by
/// others for whatlang: on one line it is half sure.
const LETTERS: usize = 200;
/// The same for writings that one or few languages have. Unit: letters. Source: our own limit, as for the writing.
const LETTERS_OF_ITS_OWN: usize = 20;

/// The codes of all languages, sorted.
pub fn languages() -> impl Iterator<Item = &'static str> + Clone {
    LANGUAGES.iter().map(|(code, _)| *code)
}

/// The code of the language that a text is in. `None` for a short text, and for one that could be in several.
pub(super) fn of(text: &str) -> Option<&'static str> {
    let text = super::link::cut(text, TEXT_BYTES);
    let enough = match script::dominant(text)? {
        Script::Latin | Script::Cyrillic | Script::Arabic | Script::Devanagari | Script::Hebrew => LETTERS,
        _ => LETTERS_OF_ITS_OWN,
    };
    if text.chars().filter(|c| c.is_alphabetic()).count() < enough {
        return None;
    }
    let guess = whatlang::detect(text).filter(whatlang::Info::is_reliable)?;
    LANGUAGES.iter().find(|(_, lang)| *lang == guess.lang()).map(|(code, _)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GERMAN: &str = "Sehr geehrte Damen und Herren, wir möchten Sie daran erinnern, dass unsere nächste Besprechung am Donnerstag \
                          um zehn Uhr im großen Saal stattfindet. Bitte bringen Sie die Unterlagen mit, die wir Ihnen in der vergangenen \
                          Woche geschickt haben, und sagen Sie uns, wenn Sie nicht kommen können.";
    const ENGLISH: &str = "Dear colleagues, this is to remind you that our next meeting takes place on Thursday at ten in the large hall. \
                           Please bring the papers with you which we have sent to you last week, and let us know whether you are not able \
                           to come, so that somebody else can stand in for you.";
    const RUSSIAN: &str = "Уважаемые коллеги, напоминаем вам, что наша следующая встреча состоится в четверг в десять часов в большом зале. \
                           Пожалуйста, возьмите с собой документы, которые мы отправили вам на прошлой неделе, и сообщите нам, если вы не \
                           сможете прийти на эту встречу.";

    #[test]
    fn languages_are_sorted_each_once_and_none_is_missing() {
        assert!(LANGUAGES.is_sorted_by(|a, b| a.0 < b.0));
        for lang in Lang::all() {
            assert_eq!(LANGUAGES.iter().filter(|(_, known)| known == lang).count(), 1, "{lang:?}");
        }
    }

    #[test]
    fn long_texts_and_writings_of_their_own_are_told_and_short_ones_are_not() {
        for (text, expected) in [
            (GERMAN, Some("de")),
            (ENGLISH, Some("en")),
            (RUSSIAN, Some("ru")),
            ("お荷物が届きましたので、ご確認をおねがいいたします。", Some("ja")),
            ("您好，您的包裹已经到达，请尽快领取，谢谢您的支持与配合。", Some("zh")),
            ("안녕하세요 고객님 주문하신 상품이 도착했습니다", Some("ko")),
            ("Καλημέρα σας, το δέμα σας έφτασε σήμερα το πρωί", Some("el")),
            ("Dear colleagues, we meet on Thursday.", None),
            ("Здравствуйте! Ваш заказ готов", None),
            ("12345 67890", None),
            ("", None),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn text_that_is_cut_within_a_letter_is_looked_at() {
        assert_eq!(of(&format!("x{}", RUSSIAN.repeat(100))), Some("ru"));
    }
}
