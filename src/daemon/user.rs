//! Becoming another user, for good: setuid(2), setgid(2), initgroups(3), credentials(7).

use super::error::Error;
use nix::unistd::{
    Gid, Group, Uid, User, geteuid, getgroups, getresgid, getresuid, initgroups, setgid, setuid,
};
use std::ffi::CString;
use std::str::FromStr;

/// `USER`, `USER:GROUP` or `:GROUP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserSpec {
    user: Option<String>,
    group: Option<String>,
}

impl FromStr for UserSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user.trim(), group.trim()),
            None => (text.trim(), ""),
        };
        let empty = user.is_empty() && group.is_empty();
        if empty || group.contains(':') || text.contains('\0') {
            return Err(Error::InvalidUser { text: text.to_owned() });
        }
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Ok(Self { user: named(user), group: named(group) })
    }
}

/// The user and group that a [`UserSpec`] names on this machine.
#[derive(Debug)]
pub(super) struct Identity {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl UserSpec {
    /// Looks the names up and checks that the switch is allowed.
    pub(super) fn resolve(&self) -> Result<Identity, Error> {
        if !geteuid().is_root() {
            return Err(Error::NotRoot { euid: geteuid().as_raw() });
        }
        let user = match &self.user {
            Some(name) => User::from_name(name)
                .map_err(Error::system("look up the user"))?
                .ok_or_else(|| Error::UnknownUser { user: name.clone() })?,
            None => User::from_uid(geteuid())
                .map_err(Error::system("look up the current user"))?
                .ok_or_else(|| Error::UnknownUser { user: geteuid().to_string() })?,
        };
        let gid = match &self.group {
            Some(name) => member_gid(&user, name)?,
            None => user.gid,
        };
        Ok(Identity { name: user.name, uid: user.uid, gid })
    }
}

fn member_gid(user: &User, name: &str) -> Result<Gid, Error> {
    let group = Group::from_name(name)
        .map_err(Error::system("look up the group"))?
        .ok_or_else(|| Error::UnknownGroup { group: name.to_owned() })?;
    if group.gid == user.gid || group.mem.contains(&user.name) {
        return Ok(group.gid);
    }
    Err(Error::NotInGroup { user: user.name.clone(), group: name.to_owned() })
}

impl Identity {
    /// Becomes the user and verifies that there is no way back ("Setuid Demystified", Chen et al., 2002).
    pub(super) fn assume(&self) -> Result<(), Error> {
        let name =
            CString::new(self.name.as_str()).map_err(|_| Error::InvalidUser { text: self.name.clone() })?;
        setgid(self.gid).map_err(Error::system("switch the group"))?;
        // The supplementary groups of root would stay otherwise.
        initgroups(&name, self.gid).map_err(Error::system("set the supplementary groups"))?;
        setuid(self.uid).map_err(Error::system("switch the user"))?;
        self.verify()
    }

    fn verify(&self) -> Result<(), Error> {
        let uids = getresuid().map_err(Error::system("read the user ids"))?;
        let gids = getresgid().map_err(Error::system("read the group ids"))?;
        let groups = getgroups().map_err(Error::system("read the supplementary groups"))?;
        let switched = [uids.real, uids.effective, uids.saved] == [self.uid; 3]
            && [gids.real, gids.effective, gids.saved] == [self.gid; 3]
            && groups.contains(&self.gid);
        let way_back = !self.uid.is_root() && setuid(Uid::from_raw(0)).is_ok();
        if switched && !way_back {
            return Ok(());
        }
        let (uid, gid) = (uids.real.as_raw(), gids.real.as_raw());
        Err(Error::UserSwitch { user: self.name.clone(), uid, gid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_three_forms() {
        let spec = |user: Option<&str>, group: Option<&str>| UserSpec {
            user: user.map(str::to_owned),
            group: group.map(str::to_owned),
        };
        assert_eq!("ovs".parse::<UserSpec>().unwrap(), spec(Some("ovs"), None));
        assert_eq!("ovs:".parse::<UserSpec>().unwrap(), spec(Some("ovs"), None));
        assert_eq!("ovs:net".parse::<UserSpec>().unwrap(), spec(Some("ovs"), Some("net")));
        assert_eq!(":net".parse::<UserSpec>().unwrap(), spec(None, Some("net")));
        for wrong in ["", ":", " ", "a:b:c", "a\0b"] {
            assert!(wrong.parse::<UserSpec>().is_err(), "{wrong:?}");
        }
    }
}
