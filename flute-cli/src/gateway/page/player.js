// SPDX-License-Identifier: MPL-2.0
// Plays presentations with dash.js and hls.js where they are installed, and HLS without where the browser can.

/* global dashjs, Hls */

const HLS_TYPE = "application/vnd.apple.mpegurl";

/** Segments between what is played and the newest one: each has to arrive by multicast and to be repaired first. */
const SEGMENTS_BEHIND = 4;

const absolute = path => new URL(path, location).href;

export class Player {
  #video;
  #note;
  #path = null;
  #end = () => {};

  /** Plays in `video`, and says in `note` what it plays and what is wrong. */
  constructor(video, note) {
    this.#video = video;
    this.#note = note;
    video.addEventListener("resize", () => this.#say(`${video.videoWidth}×${video.videoHeight}`));
  }

  /** The path of the manifest that is being played. */
  get path() {
    return this.#path;
  }

  canPlay({ format }) {
    return format === "dash" ? "dashjs" in window : this.#hasHls() || this.#video.canPlayType(HLS_TYPE) !== "";
  }

  /** Plays a presentation instead of the one before. */
  play({ path, format }) {
    this.#end();
    this.#path = path;
    this.#say("loading …");
    if (format === "dash") {
      this.#end = this.#playDash(path);
    } else if (this.#hasHls()) {
      this.#end = this.#playHls(path);
    } else {
      this.#end = this.#playNatively(path);
    }
  }

  #hasHls() {
    return "Hls" in window && Hls.isSupported();
  }

  #say(text) {
    this.#note.textContent = `${this.#path.slice(1)}: ${text}`;
  }

  #playDash(path) {
    const player = dashjs.MediaPlayer().create();
    // The clock of a telephone may be wrong; that of the gateway is near, and no other server is asked.
    const clock = { scheme: "urn:mpeg:dash:utc:http-head:2014", value: absolute("/_flute/healthz") };
    player.updateSettings({
      streaming: {
        // What the packager suggests leaves no time for multicast and repair.
        delay: { useSuggestedPresentationDelay: false, liveDelayFragmentCount: SEGMENTS_BEHIND },
        utcSynchronization: { defaultTimingSource: clock },
      },
    });
    player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => this.#say(error.message ?? String(error)));
    // It has to begin by itself: a player that did not know of it would not fetch the manifest again.
    player.initialize(this.#video, absolute(path), true);
    return () => player.destroy();
  }

  #playHls(path) {
    const hls = new Hls({ workerPath: "/_flute/player/hls.worker.js", liveSyncDurationCount: SEGMENTS_BEHIND });
    hls.on(Hls.Events.ERROR, (_, { fatal, error }) => {
      if (fatal) this.#say(error.message);
    });
    hls.loadSource(absolute(path));
    hls.attachMedia(this.#video);
    this.#begin();
    return () => hls.destroy();
  }

  #playNatively(path) {
    this.#video.src = path;
    this.#begin();
    return () => this.#video.removeAttribute("src");
  }

  #begin() {
    this.#video.play().catch(error => {
      // A presentation that is replaced before it begins is no error.
      if (error.name !== "AbortError") this.#say(error.message);
    });
  }
}
