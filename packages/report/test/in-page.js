// SPDX-License-Identifier: MIT
// What the browser test asks of the page from inside it; loaded before the page's own scripts.
globalThis.inPage = {
  /** After the page has been painted. */
  painted: () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),

  paper: () => getComputedStyle(document.body).backgroundColor,

  width: () => document.documentElement.scrollWidth,

  /** For each canvas the number of pixels of each of the theme's colours that it shows. */
  pixels() {
    const style = getComputedStyle(document.documentElement);
    const names = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `--series-${n}`);
    const wanted = new Map(names.map((name) => [Number.parseInt(style.getPropertyValue(name).slice(1), 16), name]));
    return [...document.querySelectorAll('canvas')].map((canvas) => {
      // A copy: reading the page's own canvas again and again makes Chromium warn on the console.
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
      copy.drawImage(canvas, 0, 0);
      const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
      const counts = {};
      for (let i = 0; i < data.length; i += 4) {
        // Translucent pixels are the broad band of the real kernel, which is drawn at 40 %.
        const band = data[i + 3] > 90 && data[i + 3] < 115;
        const name = band ? 'band' : wanted.get((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
        if (name && (band || data[i + 3] === 255)) counts[name] = (counts[name] ?? 0) + 1;
      }
      return counts;
    });
  },
};
