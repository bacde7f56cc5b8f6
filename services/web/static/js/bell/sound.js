// The sound of danger, made by Web Audio: no file, and nothing before the first click, as browsers want it.

let audio = null;

/** Call `unlocked` once the page may sound: with the first click or key. */
export function afterFirstClick(unlocked) {
  const events = ["pointerdown", "keydown"];
  const unlock = async () => {
    audio ??= new AudioContext();
    await audio.resume();
    if (audio.state !== "running") return;
    for (const name of events) document.removeEventListener(name, unlock, true);
    unlocked();
  };
  if (!("AudioContext" in window)) return;
  for (const name of events) document.addEventListener(name, unlock, true);
}

/** Two tones, three times; false where the page may not sound yet. */
export function ring() {
  if (audio?.state !== "running") return false;
  for (let beat = 0; beat < 6; beat += 1) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    const begin = audio.currentTime + beat * 0.22;
    tone.frequency.value = beat % 2 ? 660 : 880;
    volume.gain.setValueAtTime(0.0001, begin);
    volume.gain.exponentialRampToValueAtTime(0.35, begin + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, begin + 0.2);
    tone.connect(volume).connect(audio.destination);
    tone.start(begin);
    tone.stop(begin + 0.21);
  }
  // For whoever tests it: how often this page has rung.
  document.body.dataset.rung = String(Number(document.body.dataset.rung || 0) + 1);
  return true;
}
