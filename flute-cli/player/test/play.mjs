// SPDX-License-Identifier: MPL-2.0
// Plays presentations on the page of a gateway in headless Chromium, as a viewer does, and prints one object of JSON that
// says what became of it.
//
//   node play.mjs URL SECONDS SCREENSHOTS PRESENTATION ...
//
// URL is that of the page; each PRESENTATION, such as tv/live.mpd, is played for SECONDS; SCREENSHOTS is a folder for
// pictures of the page. CHROMIUM names the browser (chromium).

import { join } from "node:path";
import { chromium } from "playwright-core";

const DESKTOP = { width: 1000, height: 1000 };
const TELEPHONE = { width: 390, height: 844 };

/** Longer than a presentation takes to begin, on a machine that has other things to do. */
const PATIENCE = 60_000;

/** With fewer seconds than this ahead a player that waits does so for the network, and not for its decoder. */
const ENOUGH = 0.5;

const [url, seconds, screenshots, ...presentations] = process.argv.slice(2);

/** Runs in the page: counts the times that the video waits for the network from now on. */
const countStalls = enough => {
  const video = document.querySelector("video");
  const ahead = () => {
    const { buffered, currentTime } = video;
    return buffered.length ? buffered.end(buffered.length - 1) - currentTime : 0;
  };
  window.stalls = 0;
  window.stallCounter?.abort();
  window.stallCounter = new AbortController();
  const { signal } = window.stallCounter;
  video.addEventListener("waiting", () => { if (ahead() < enough) window.stalls += 1; }, { signal });
};

const position = page => page.evaluate(() => document.querySelector("video").currentTime);

/** Waits until so many seconds more have been played than at `start`. */
const played = (page, start, seconds) =>
  page.waitForFunction(
    until => document.querySelector("video").currentTime >= until,
    start + seconds,
    { timeout: 1000 * seconds + PATIENCE },
  );

const play = async (page, presentation) => {
  await page.getByRole("button", { name: presentation, exact: true }).click({ timeout: PATIENCE });
  // The element goes on showing the end of the presentation before until it has another.
  await page.waitForFunction(
    path => {
      const { readyState, seeking, paused } = document.querySelector("video");
      const note = document.getElementById("playing").textContent;
      return note.startsWith(`${path}: `) && /×/.test(note) && readyState >= 3 && !seeking && !paused;
    },
    presentation,
    { timeout: PATIENCE },
  );
  // It has begun when a second was played: until then a player looks for its place in a live presentation.
  await played(page, await position(page), 1);
  await page.evaluate(countStalls, ENOUGH);
  const start = await position(page);
  await played(page, start, Number(seconds));
  return { presentation, played: (await position(page)) - start, stalls: await page.evaluate(() => window.stalls) };
};

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium" });
try {
  const page = await browser.newPage({ viewport: DESKTOP });
  const errors = [];
  page.on("pageerror", error => errors.push(error.message));
  page.on("console", message => { if (message.type() === "error") errors.push(message.text()); });
  await page.goto(url);
  const results = [];
  for (const presentation of presentations) {
    results.push(await play(page, presentation));
  }
  const shown = await page.locator("#services dl div").allInnerTexts();
  const figures = Object.fromEntries(shown.map(text => text.split("\n").filter(Boolean)));
  await page.screenshot({ path: join(screenshots, "gateway.png") });
  await page.setViewportSize(TELEPHONE);
  await page.screenshot({ path: join(screenshots, "gateway-telephone.png"), fullPage: true });
  const fits = await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
  console.log(JSON.stringify({ results, figures, fits, errors }));
} finally {
  await browser.close();
}
