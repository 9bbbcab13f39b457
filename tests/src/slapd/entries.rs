//! People and groups as LDIF.

use super::PEOPLE;

/// `userAccountControl` of a normal account, and of a disabled one.
const NORMAL: u32 = 512;
const DISABLED: u32 = 514;

/// Somebody with an address.
#[derive(Clone, Debug)]
pub struct Person {
    uid: String,
    address: String,
    aliases: Vec<String>,
    enabled: bool,
}

/// A group of people that has an address itself.
#[derive(Clone, Debug)]
pub struct Group {
    name: String,
    address: String,
    members: Vec<String>,
}

impl Person {
    /// `uid@domain`.
    pub fn new(uid: &str, domain: &str) -> Person {
        Person { uid: uid.to_owned(), address: format!("{uid}@{domain}"), aliases: Vec::new(), enabled: true }
    }

    /// Another address, in `mailLocalAddress` and, as `smtp:…`, in `proxyAddresses`.
    pub fn alias(mut self, address: &str) -> Person {
        self.aliases.push(address.to_owned());
        self
    }

    /// An account that is disabled as Active Directory does it.
    pub fn disabled(mut self) -> Person {
        self.enabled = false;
        self
    }

    pub(super) fn ldif(&self) -> String {
        let Person { uid, address, .. } = self;
        let control = if self.enabled { NORMAL } else { DISABLED };
        let aliases: String = self
            .aliases
            .iter()
            .map(|alias| format!("mailLocalAddress: {alias}\nproxyAddresses: smtp:{alias}\n"))
            .collect();
        format!(
            "dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient\nobjectClass: adUser\n\
             uid: {uid}\ncn: {uid}\nsn: {uid}\nmail: {address}\nproxyAddresses: SMTP:{address}\n{aliases}\
             sAMAccountName: {uid}\nuserPrincipalName: {address}\nuserAccountControl: {control}\n\n"
        )
    }
}

impl Group {
    /// `name@domain`, with these people (by uid) as members; at least one.
    pub fn new(name: &str, domain: &str, members: &[&str]) -> Group {
        let members = members.iter().map(|uid| format!("uid={uid},{PEOPLE}")).collect();
        Group { name: name.to_owned(), address: format!("{name}@{domain}"), members }
    }

    pub(super) fn ldif(&self) -> String {
        let Group { name, address, members } = self;
        let members: String = members.iter().map(|member| format!("member: {member}\n")).collect();
        format!(
            "dn: cn={name},{PEOPLE}\nobjectClass: groupOfNames\nobjectClass: adMailGroup\ncn: {name}\nmail: {address}\n\
             proxyAddresses: SMTP:{address}\n{members}\n"
        )
    }
}
