//! What a person does with the page, and what is seen of it.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    ADDRESS,
    browser::{Browser, key},
};

/// What is checked of every view, in the page.
const LOOK: &str = include_str!("look.js");

/// Goes through all of it by keyboard.
pub fn by_keyboard(browser: &Browser<'_>) -> Result<()> {
    browser.see(1280, "light", "no-preference")?;
    browser.open(&format!("http://{ADDRESS}/"))?;
    ports(browser)?;
    port(browser)?;
    explain(browser)?;
    drops(browser)
}

fn ports(browser: &Browser<'_>) -> Result<()> {
    browser.wait(
        "no port is shown",
        "document.querySelectorAll('#rows th').length > 1",
    )?;
    let words = browser.run("return document.getElementById('tally').innerText")?;
    println!("{}", words.as_str().unwrap_or_default());
    let named = "[...document.querySelectorAll('#rows th a')].map((link) => link.textContent)";
    browser.wait(
        "a hostile name is not shown as it was written, escaped",
        &format!("{named}.includes('<img src=x onerror=alert(1)>\\\\n\\\\u{{202e}}gnp')"),
    )?;
    let took = browser.run(
        "const begun = performance.now(); document.getElementById('filter').dispatchEvent(new Event('input'));
         return performance.now() - begun",
    )?;
    println!("all ports are sorted, filtered and drawn in {took} ms");

    browser.tab_to("#filter")?;
    browser.keys("web1")?;
    browser.wait(
        "the filter lets others through",
        &format!("{named}.join() === 'WEB1'"),
    )?;
    browser.tab_to("#heads th:nth-child(6) button")?;
    browser.keys(key::ENTER)?;
    let sorted = "document.querySelector('#heads th:nth-child(6)').getAttribute('aria-sort')";
    browser.wait(
        "the drops are not sorted by",
        &format!("{sorted} === 'descending'"),
    )?;
    browser.wait(
        "no rate is drawn",
        "document.querySelector('#rows .packets path').getAttribute('d').includes('L')
         && parseFloat(document.querySelector('#rows .packets span').textContent) > 0",
    )?;
    browser.wait(
        "no drop is drawn",
        "parseFloat(document.querySelector('#rows .drops span').textContent) > 0",
    )
}

fn port(browser: &Browser<'_>) -> Result<()> {
    browser.tab_to("#rows a")?;
    browser.keys(key::ENTER)?;
    browser.wait(
        "the port is not shown",
        "document.getElementById('title-port').textContent === 'WEB1'",
    )?;
    browser.wait(
        "the title has not the focus",
        "document.activeElement.id === 'title-port'",
    )?;
    for way in ["ingress", "egress"] {
        let stages = format!("document.querySelectorAll('[data-way={way}] .stage').length > 10");
        browser.wait("the stages are not shown", &stages)?;
    }
    browser.wait(
        "the rules and their connections are not shown",
        "/tcp 80 .*connection/.test(document.querySelector('[data-way=ingress] .rules').innerText)",
    )?;
    browser.wait(
        "the counters stand still",
        "(() => { const count = document.querySelector('[data-way=ingress] [data-stage=otherwise] .count').textContent;
           const before = window.before ?? (window.before = count); return before !== count; })()",
    )
}

fn explain(browser: &Browser<'_>) -> Result<()> {
    browser.tab_to("#port-explain")?;
    browser.keys(key::ENTER)?;
    browser.wait(
        "the form is not shown",
        "document.activeElement.id === 'title-explain'",
    )?;
    browser.wait(
        "the port is not filled in",
        "document.getElementById('packet-port').value === 'WEB1'",
    )?;
    browser.tab_to("#packet-words")?;
    browser.keys("tcp 10.0.0.7:40000 10.0.0.5:443")?;
    browser.keys(key::ENTER)?;
    let verdict = "document.getElementById('verdict').innerText";
    browser.wait(
        "it is not walked",
        "document.querySelectorAll('.lit').length > 3",
    )?;
    browser.wait(
        "there is no verdict",
        &format!("{verdict}.includes('drop: No rule of the port')"),
    )?;
    for said in ["no_rule", "Near, for other ports", "--dst-port 443"] {
        browser.wait(
            "the verdict does not say",
            &format!("{verdict}.includes('{said}')"),
        )?;
    }
    let lit = browser.run(
        "const stages = [...document.querySelectorAll('#walk .stage')];
         return {all: stages.length, lit: stages.filter((stage) => stage.matches('.lit')).length,
                 end: document.querySelector('#walk [aria-current=step]').dataset.stage}",
    )?;
    ensure!(
        lit["end"] == "otherwise" && lit["lit"] == lit["all"],
        "it fell at the last stage, and lit are {lit}"
    );

    for (words, outcome, stage) in [
        ("tcp 10.0.0.7:40000 10.0.0.5:80", "accept", "rules"),
        ("udp 10.0.0.7:67 10.0.0.5:68", "accept", "dhcp"),
        ("arp 10.0.0.7 10.0.0.5", "accept", "arp"),
    ] {
        browser.run("document.getElementById('packet-words').value = ''; document.getElementById('title-explain').focus()")?;
        browser.tab_to("#packet-words")?;
        browser.keys(words)?;
        browser.keys(key::ENTER)?;
        let end = "document.querySelector('#walk [aria-current=step]')?.dataset.stage";
        browser.wait(
            words,
            &format!("{end} === '{stage}' && {verdict}.includes('{outcome}')"),
        )?;
        let behind = browser.run(
            "const stages = [...document.querySelectorAll('#walk .stage')];
             const at = stages.findIndex((stage) => stage.matches('[aria-current=step]'));
             return stages.every((stage, place) => stage.matches('.lit') === place <= at)",
        )?;
        ensure!(
            behind == json!(true),
            "{words}: lit are not those up to {stage}"
        );
    }
    Ok(())
}

fn drops(browser: &Browser<'_>) -> Result<()> {
    browser.run(
        "document.getElementById('title-explain').focus(); document.querySelector('nav a').focus()",
    )?;
    browser.tab_to("nav a[href='#drops']")?;
    browser.keys(key::ENTER)?;
    browser.wait(
        "no port can be chosen",
        "document.querySelectorAll('#drops-port option').length > 2",
    )?;
    browser.tab_to("#drops-port")?;
    browser.keys("WEB1")?;
    browser.wait(
        "the port is not chosen",
        "location.hash.startsWith('#drops?port=')",
    )?;
    let rows = "document.querySelectorAll('#dropped tr:not(.empty)').length";
    browser.wait("no drop is told", &format!("{rows} > 0"))?;
    let first = "document.querySelector('#dropped tr').innerText";
    browser.wait(
        "it is another",
        &format!("{first}.includes('10.0.0.5:443 SYN') && {first}.includes('no_rule')"),
    )?;
    browser.tab_to("#drops-hold")?;
    browser.keys(key::SPACE)?;
    let status = "document.getElementById('drops-status').innerText";
    browser.wait("it is not paused", &format!("{status}.includes('Paused')"))?;
    let held = browser.run(&format!("return {rows}"))?;
    sleep(Duration::from_secs(4));
    ensure!(
        browser.run(&format!("return {rows}"))? == held,
        "it goes on while it is paused"
    );
    browser.keys(key::SPACE)?;
    browser.wait("it does not go on", &format!("{rows} > {held}"))?;
    browser.tab_to("#dropped small a")?;
    browser.keys(key::ENTER)?;
    browser.wait(
        "the drop is not explained",
        "document.getElementById('verdict').innerText.includes('drop: No rule of the port')",
    )
}

/// Who does not want motion is shown all of a walk at once.
pub fn without_motion(browser: &Browser<'_>) -> Result<()> {
    let at_once = "const walk = document.getElementById('walk');
         return new Promise((done) => {
           new MutationObserver((_, observer) => {
             if (!walk.querySelector('.chain')) return;
             observer.disconnect();
             done(walk.querySelectorAll('.lit').length);
           }).observe(walk, {childList: true, subtree: true});
           location.hash = '#explain?port=WEB1&direction=ingress&words=tcp+10.0.0.7:40000+10.0.0.5:MARK';
         })";
    browser.see(1280, "light", "no-preference")?;
    let moving = browser.run(&at_once.replace("MARK", "444"))?;
    browser.see(1280, "light", "reduce")?;
    let still = browser.run(&at_once.replace("MARK", "445"))?;
    println!("stages lit at once: {moving}, and {still} without motion");
    ensure!(
        moving == json!(0) && still.as_u64() > Some(10),
        "motion is not as it is preferred"
    );
    Ok(())
}

/// Looks at each view, wide and narrow, light and dark.
pub fn look_everywhere(browser: &Browser<'_>, pictures: &Path) -> Result<()> {
    const VIEWS: [(&str, &str, &str); 5] = [
        (
            "ports",
            "ports",
            "document.querySelectorAll('#rows th').length > 1",
        ),
        (
            "port",
            "port/WEB1",
            "document.querySelectorAll('#ways .stage').length > 20",
        ),
        (
            "explain",
            "explain?port=WEB1&direction=ingress&words=tcp+10.0.0.7:40000+10.0.0.5:443",
            "document.querySelector('#verdict h3')",
        ),
        (
            "refused",
            "explain?port=WEB1&direction=ingress&words=tcp+10.0.0.7",
            "document.querySelector('#verdict h3')",
        ),
        (
            "drops",
            "drops",
            "document.querySelectorAll('#dropped tr:not(.empty)').length > 1
             && !document.getElementById('drops-status').innerText.includes(' 0 packets told')",
        ),
    ];
    let mut faults = Vec::new();
    for scheme in ["light", "dark"] {
        for width in [1280, 400] {
            browser.see(width, scheme, "reduce")?;
            for (name, hash, ready) in VIEWS {
                browser.open("about:blank")?;
                browser.open(&format!("http://{ADDRESS}/#{hash}"))?;
                browser.wait(name, ready)?;
                if name == "ports" {
                    // Time for lines to be drawn.
                    sleep(Duration::from_secs(9));
                }
                let found = browser.run(LOOK)?;
                let found = found.as_array().context("a list of faults")?;
                let tell = |fault: &Value| format!("{name}, {scheme}, {width}: {fault}");
                faults.extend(found.iter().map(tell));
                faults.extend(lost_tables(browser, name, width)?);
                browser.picture(&pictures.join(format!("{name}-{scheme}-{width}.png")))?;
            }
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// A table is one to those who hear the page, however it is laid out.
fn lost_tables(browser: &Browser<'_>, view: &str, width: u32) -> Result<Option<String>> {
    if !["ports", "drops"].contains(&view) {
        return Ok(None);
    }
    let tree = browser.devtools("Accessibility.getFullAXTree", &json!({}))?;
    let nodes = tree["nodes"].as_array().context("a tree")?;
    let count = |role: &str| {
        nodes
            .iter()
            .filter(|node| node["role"]["value"] == role)
            .count()
    };
    let counts = ["table", "columnheader", "row", "cell"].map(count);
    let is_whole = counts[0] == 1 && counts[1] >= 5 && counts[2] > 2 && counts[3] > 5;
    Ok((!is_whole).then(|| format!("{view}, {width}: no table is heard: {counts:?}")))
}
