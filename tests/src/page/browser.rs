//! A browser in a namespace, which is told what to do by WebDriver.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http;
use crate::netns::Netns;
use crate::node::Node;

/// Where chromedriver listens, in the namespace of the node.
const ADDRESS: &str = "127.0.0.1:9515";

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The codes of keys that write nothing, as WebDriver has them.
pub mod key {
    /// The next element.
    pub const TAB: &str = "\u{e004}";
    /// Does what has the focus.
    pub const ENTER: &str = "\u{e007}";
    /// Presses a button.
    pub const SPACE: &str = " ";
}

/// Chromium, without a window.
pub struct Browser<'a> {
    netns: &'a Netns,
    session: String,
    _driver: Daemon,
}

impl<'a> Browser<'a> {
    /// Starts it on a node.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(node: &'a Node) -> Result<Self> {
        let directory = node.directory();
        // Chromium outlives its driver, but not the namespace of its processes.
        let mut driver = Command::new("unshare");
        driver.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        driver.args(["chromedriver", "--port=9515"]);
        driver.env("HOME", directory);
        driver.stdout(Stdio::null()).stderr(Stdio::null());
        let driver = Daemon::start(node.netns(), driver);
        let profile = directory.join("profile");
        let options = json!({
            "capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "goog:loggingPrefs": {"browser": "ALL"},
                "goog:chromeOptions": {"args": [
                    "--headless=new",
                    // It runs as root, in a namespace that reaches nobody.
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-dev-shm-usage",
                    "--disable-background-networking",
                    "--no-proxy-server",
                    "--lang=en",
                    format!("--user-data-dir={}", profile.display()),
                ]},
            }}
        });
        let begun = Instant::now();
        let mut browser = Self {
            netns: node.netns(),
            session: String::new(),
            _driver: driver,
        };
        let session = loop {
            match browser.send("POST /session", &options) {
                Ok(session) => break session,
                Err(error) if begun.elapsed() > PATIENCE => return Err(error),
                Err(_) => sleep(Duration::from_millis(200)),
            }
        };
        let id = session["sessionId"].as_str();
        browser.session = id.context("the browser has a session")?.to_owned();
        Ok(browser)
    }

    /// Goes to an address.
    ///
    /// # Errors
    /// When nothing is there.
    pub fn open(&self, url: &str) -> Result<()> {
        self.tell("url", &json!({"url": url})).map(drop)
    }

    /// Runs the body of a function in the page; returns what it returns.
    ///
    /// # Errors
    /// What it throws.
    pub fn run(&self, script: &str) -> Result<Value> {
        self.tell("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until an expression is so.
    ///
    /// # Errors
    /// When it does not become so, with what is seen then.
    pub fn wait(&self, what: &str, expression: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.run(&format!("return Boolean({expression});"))? != json!(true) {
            if Instant::now() > deadline {
                let seen = self.run("return document.body.innerText")?;
                bail!("{what}: {expression}\n{}", seen.as_str().unwrap_or("?"));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Types.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn keys(&self, text: &str) -> Result<()> {
        let press = |key: char| {
            let key = key.to_string();
            [
                json!({"type": "keyDown", "value": key}),
                json!({"type": "keyUp", "value": key}),
            ]
        };
        let all: Vec<Value> = text.chars().flat_map(press).collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": all});
        self.tell("actions", &json!({"actions": [keyboard]}))
            .map(drop)
    }

    /// Presses the key for the next element until one of a selector has the focus. Each on the way has to be seen to
    /// have it.
    ///
    /// # Errors
    /// When none of them gets it, or the focus cannot be seen.
    pub fn tab_to(&self, selector: &str) -> Result<()> {
        const MOST: usize = 120;
        for _ in 0..MOST {
            self.keys(key::TAB)?;
            let focus = format!(
                "const at = document.activeElement; const style = getComputedStyle(at);
                 return {{there: at.matches({}), page: at === document.body, name: at.outerHTML.slice(0, 120),
                          seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2}};",
                json!(selector)
            );
            let focus = self.run(&focus)?;
            if focus["page"] == json!(false) {
                ensure!(
                    focus["seen"] == json!(true),
                    "the focus is not seen at {}",
                    focus["name"]
                );
            }
            if focus["there"] == json!(true) {
                return Ok(());
            }
        }
        bail!("no {selector} gets the focus within {MOST} times the tab key")
    }

    /// Sets how wide the page is, in pixels, and what its reader prefers.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn see(&self, width: u32, scheme: &str, motion: &str) -> Result<()> {
        let metrics =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics)?;
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]});
        self.devtools("Emulation.setEmulatedMedia", &features)
            .map(drop)
    }

    /// Asks the protocol of the browser's developer tools.
    ///
    /// # Errors
    /// What it refuses.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.tell(
            "goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// What the console has had to say since it was last asked.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn console(&self) -> Result<Vec<String>> {
        let lines = self.tell("se/log", &json!({"type": "browser"}))?;
        let lines = lines.as_array().context("lines of the console")?;
        Ok(lines.iter().map(ToString::to_string).collect())
    }

    /// Writes what is seen into a file, from the top to the bottom of the page but no more than some screens.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn picture(&self, path: &Path) -> Result<()> {
        const MOST: u64 = 2600;
        let size = self.run("return [innerWidth, document.documentElement.scrollHeight]")?;
        let height = size[1].as_u64().unwrap_or(MOST).min(MOST);
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": height, "scale": 1});
        let shot = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let shot = self.devtools("Page.captureScreenshot", &shot)?;
        let encoded = shot["data"].as_str().context("a picture")?;
        let mut decode = Command::new("base64")
            .arg("--decode")
            .stdin(Stdio::piped())
            .stdout(fs::File::create(path)?)
            .spawn()?;
        let input = decode.stdin.take();
        input.context("its input")?.write_all(encoded.as_bytes())?;
        ensure!(decode.wait()?.success(), "the picture cannot be decoded");
        Ok(())
    }

    fn tell(&self, what: &str, body: &Value) -> Result<Value> {
        self.send(&format!("POST /session/{}/{what}", self.session), body)
    }

    fn send(&self, request: &str, body: &Value) -> Result<Value> {
        let json = ["Content-Type: application/json"];
        let answer = http::ask(self.netns, ADDRESS, request, &json, &body.to_string());
        let answer = answer.context("chromedriver does not answer")?;
        let said = answer.json();
        if answer.status == 200 {
            return Ok(said["value"].clone());
        }
        bail!("{request}: {} {}", answer.status, said["value"]["message"])
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        let _ = self.send(&format!("DELETE /session/{}", self.session), &Value::Null);
    }
}
