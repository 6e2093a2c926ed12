//! What users do with a jar of cookies.

use std::{io, path::Path, time::SystemTime};

use super::IntoUrl;
use crate::{
    cookies::{Cookie, CookieJar},
    error::{Error, ErrorKind, Result},
    files,
    policy::cookies,
};

impl CookieJar {
    /// A jar with the cookies of a file that [`save`](Self::save) has written.
    ///
    /// The format is that of `cookies.txt`, which curl and others write too. Cookies that have
    /// expired are left out.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](ErrorKind::InvalidRequest) for a file that cannot be read or is not
    /// there, [`Decode`](ErrorKind::Decode) for one with a line that is no cookie.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        match files::secret::read(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) => Err(unreadable(path, error)),
        }
    }

    /// As [`load`](Self::load), but an empty jar if there is no such file.
    ///
    /// # Errors
    /// As [`load`](Self::load), for a file that is there: a broken one is not taken for none.
    pub fn load_or_new(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        match files::secret::read(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::new()),
            Err(error) => Err(unreadable(path, error)),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        cookies::parse(text, SystemTime::now()).map(Self::of).map_err(|line| {
            let message = format!("line {line} of the cookies {} is no cookie", path.display());
            Error::new(ErrorKind::Decode, message)
        })
    }

    /// Writes the cookies that outlive the session to a file, for [`load`](Self::load).
    ///
    /// The file is whole at any time: it is written under another name beside it, and then takes
    /// its place. Only its owner can read it, on Unix. What a cookie says about
    /// [other sites](crate::SameSite) is not written.
    ///
    /// # Errors
    /// Kind [`Internal`](ErrorKind::Internal) if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write(path.as_ref(), false)
    }

    /// As [`save`](Self::save), with the cookies of this session.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_with_session(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write(path.as_ref(), true)
    }

    fn write(&self, path: &Path, all: bool) -> Result<()> {
        let text = cookies::print(&self.lock(), all, SystemTime::now());
        files::secret::replace(path, text.as_bytes()).map_err(|e| {
            let message = format!("the cookies {} cannot be written", path.display());
            Error::new(ErrorKind::Internal, message).because(e)
        })
    }

    /// Keeps a cookie as if a reply of `url` had set it, written as in `Set-Cookie`.
    ///
    /// ```
    /// let jar = abide::CookieJar::new();
    /// jar.set("https://example.org/", "theme=dark; Path=/; Max-Age=86400")?;
    /// assert_eq!(jar.get("https://example.org/", "theme")?.unwrap().value(), "dark");
    /// # Ok::<(), abide::Error>(())
    /// ```
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](ErrorKind::InvalidRequest) for a cookie that `url` may not set, and
    /// for a URL that cannot be used.
    pub fn set(&self, url: impl IntoUrl, cookie: &str) -> Result<()> {
        let url = url.into_url()?;
        let set = self.lock().set(cookie, &url, SystemTime::now());
        set.map_err(|refusal| Error::invalid(format!("the cookie is refused: {refusal}")))
    }

    /// The cookie of this name that a request to `url` sends first.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](ErrorKind::InvalidRequest) for a URL that cannot be used.
    pub fn get(&self, url: impl IntoUrl, name: &str) -> Result<Option<Cookie>> {
        Ok(self.matching(url)?.into_iter().find(|cookie| cookie.name() == name))
    }

    /// The cookies that a request to `url` sends, in that order.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](ErrorKind::InvalidRequest) for a URL that cannot be used.
    pub fn matching(&self, url: impl IntoUrl) -> Result<Vec<Cookie>> {
        let url = url.into_url()?;
        let cookies = self.lock();
        Ok(cookies.matching(&url, SystemTime::now()).into_iter().cloned().collect())
    }

    /// All cookies, the oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Cookie> {
        self.lock().all(SystemTime::now()).into_iter().cloned().collect()
    }

    /// Forgets the cookie with this domain, path and name; tells whether there was one.
    pub fn remove(&self, domain: &str, path: &str, name: &str) -> bool {
        self.lock().remove(domain, path, name)
    }

    /// Forgets all cookies.
    pub fn clear(&self) {
        self.lock().forget(|_| true);
    }

    /// Forgets the cookies that do not outlive the session.
    pub fn clear_session(&self) {
        self.lock().forget(|cookie| cookie.expires().is_none());
    }
}

#[cold]
fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::invalid(format!("the cookies {} cannot be read", path.display())).because(error)
}
