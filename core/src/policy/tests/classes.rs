//! Which recipients may share a message.

use super::*;

#[test]
fn recipients_of_another_class_are_told_apart_only_where_the_site_asks() {
    let mut settings = site(vec![to(policy("finance", Then::Hold), "group:finance")]);
    let class = |settings: &Settings, address: &str| {
        let connection = Connection::default();
        let (sender, recipient) = (ReversePath::Null, recipient(address));
        settings.policy_class(Thresholds::default(), Direction::Inbound, &sender, &connection, None, &recipient)
    };
    assert_eq!(class(&settings, "<bob@example.com>"), None);
    settings.differing_edits = DifferingEdits::DeferRecipient;
    let bob = class(&settings, "<bob@example.com>");
    assert!(bob.is_some());
    assert_eq!(bob, class(&settings, "<eve@example.com>"));
    assert_ne!(bob, class(&settings, "<cfo@example.com>"));
}

#[test]
fn who_gets_copies_or_redirected_mail_is_of_another_class_where_such_a_policy_may_match() {
    let differs = |then: Then, other: &str| {
        let mut settings = site(vec![policy("elsewhere", then)]);
        settings.differing_edits = DifferingEdits::DeferRecipient;
        let class = |settings: &Settings, address: &str| {
            let connection = Connection::default();
            let (sender, recipient) = (ReversePath::Null, recipient(address));
            settings.policy_class(Thresholds::default(), Direction::Inbound, &sender, &connection, None, &recipient)
        };
        let apart = class(&settings, "<bob@example.com>") != class(&settings, other);
        settings.policies[0] = to(settings.policies[0].clone(), "group:finance");
        assert_eq!(class(&settings, "<bob@example.com>"), class(&settings, other), "the policy is for neither");
        apart
    };
    let desk = || Then::Redirect(vec![address("desk@example.com")]);
    let archive = || Then::TagAndContinue(copy_to(&["archive@example.com"]));
    assert!(differs(desk(), "<desk@example.com>") && differs(archive(), "<archive@example.com>"));
    assert!(!differs(desk(), "<eve@example.com>") && !differs(archive(), "<eve@example.com>"));
}
