use proptest::prelude::*;

use super::*;

fn grant(text: &str) -> Grant {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn grants_read_as_they_are_written() {
    for text in [
        "read=data",
        "read=./data",
        "read=/srv/data/",
        "read=/srv/data:data",
        "write=.",
        "write=out:/out",
        "env=HOME",
        "env=HOME=/a=b",
        "env=EMPTY=",
        "net=example.org:443",
        "net=[::1]:8080",
        "http=example.org",
        "http=127.0.0.1:8080",
        "clock",
        "random",
    ] {
        assert_eq!(grant(text).to_string(), text);
    }
    assert_eq!(grant("http=Example.ORG."), grant("http=example.org"));
    let folder = |host: &str, guest: &str| Folder { host: host.into(), guest: guest.into() };
    assert_eq!(grant("read=./a//b/"), Grant::Read(folder("./a//b/", "a/b")));
    assert_eq!(grant("read=../a"), Grant::Read(folder("../a", "../a")));
}

#[test]
fn what_is_no_grant_is_told_how_to_be_one() {
    let cases = [
        ("", "nothing that can be granted"),
        ("disk", "nothing that can be granted"),
        ("read", "`read=PATH[:GUEST]`"),
        ("read=", "`read=PATH[:GUEST]`"),
        ("read=/a:/../b", "without `..`"),
        ("read=/a:", "no path to see"),
        ("env=", "`env=NAME[=VALUE]`"),
        ("env==x", "`env=NAME[=VALUE]`"),
        ("net=example.org", "`net=HOST:PORT`"),
        ("net=example.org:0", "`net=HOST:PORT`"),
        ("net=example.org:70000", "`net=HOST:PORT`"),
        ("net=:1", "`net=HOST:PORT`"),
        ("net=.:1", "`net=HOST:PORT`"),
        ("net=[::1:1", "`net=HOST:PORT`"),
        ("http=http://example.org", "`http=HOST[:PORT]`"),
        ("http=*", "`http=HOST[:PORT]`"),
        ("clock=now", "written `clock`"),
        ("random=1", "written `random`"),
    ];
    for (text, says) in cases {
        let error = text.parse::<Grant>().unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn wishes_are_satisfied_by_what_covers_them() {
    let cases = [
        ("read=/srv/data:data", "read=data", true),
        ("read=/srv/data:data", "read=data/wine", true),
        ("read=/srv/data:data", "read=database", false),
        ("read=data", "write=data", false),
        ("write=data", "read=data", true),
        ("read=.", "read=data", true),
        ("read=.", "read=/data", false),
        ("read=/", "read=/data", true),
        ("env=A=1", "env=A", true),
        ("env=A", "env=B", false),
        ("http=a.org", "http=a.org:8080", true),
        ("http=a.org:80", "http=a.org", false),
        ("net=a.org:1", "net=a.org:2", false),
        ("clock", "clock", true),
        ("clock", "random", false),
    ];
    for (granted, wish, satisfied) in cases {
        assert_eq!(grant(granted).satisfies(&grant(wish)), satisfied, "{granted}, {wish}");
    }
}

#[test]
fn grants_do_not_contradict_each_other() {
    let grants = |texts: &[&str]| Grants::new(texts.iter().map(|text| grant(text)));
    assert!(grants(&["read=a:d", "read=b:d"]).is_err());
    assert!(grants(&["read=a", "write=a"]).is_err());
    assert!(grants(&["env=A=1", "env=A"]).is_err());
    assert_eq!(grants(&["clock", "clock"]).unwrap().iter().count(), 1);
    let ours = grants(&["env=A=1", "read=x:d"]).unwrap();
    let over = ours.over(grants(&["env=A=2", "write=y:d", "random"]).unwrap());
    let texts: Vec<String> = over.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["read=x:d", "env=A=1", "random"]);
}

proptest! {
    #[test]
    fn any_grant_survives_its_text(text in "(read|write|env|net|http)=[a-zA-Z0-9./:=\\[\\]-]{0,20}") {
        if let Ok(grant) = text.parse::<Grant>() {
            prop_assert_eq!(grant.to_string().parse::<Grant>(), Ok(grant));
        }
    }
}
