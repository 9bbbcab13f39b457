//! What the directory looks like before there is anybody in it.

/// The attributes of Active Directory and Exchange that mail filters use, with their real numbers; the classes that hold
/// them are our own. `caseIgnoreMatch`, as in AD: `smtp:` finds `SMTP:`.
pub(super) const ACTIVE_DIRECTORY: &str = "\
attributetype ( 1.2.840.113556.1.2.210 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9.99 NAME 'adUser' SUP top AUXILIARY MAY ( proxyAddresses $ sAMAccountName $ userPrincipalName $ userAccountControl ) )
objectclass ( 1.2.840.113556.1.5.8.99 NAME 'adMailGroup' SUP top AUXILIARY MAY ( proxyAddresses $ sAMAccountName $ mail ) )
";

/// The organisation, its reader account and the empty branch for people.
pub(super) const ORGANISATION: &str = "\
dn: dc=rig,dc=test
objectClass: dcObject
objectClass: organization
o: rig
dc: rig

dn: cn=reader,dc=rig,dc=test
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: readpw

dn: ou=people,dc=rig,dc=test
objectClass: organizationalUnit
ou: people

";

/// The empty branch alone.
pub(super) const PEOPLE: &str = "dn: ou=people,dc=rig,dc=test\nobjectClass: organizationalUnit\nou: people\n\n";
