// SPDX-License-Identifier: MIT
// Lines over replayed operations, drawn by uPlot. All share one cursor and one zoom.
Object.assign(
  globalThis.lockless,
  (() => {
    const { element, number, color } = globalThis.lockless;
    const HEIGHT = 230;
    const plots = [];

    /** Axes take their colours when they draw, so that a change of theme needs no more than a redraw. */
    const axis = (label, more = {}) => ({
      label,
      labelSize: 22,
      labelFont: '12px system-ui, sans-serif',
      font: '12px system-ui, sans-serif',
      stroke: () => color('--soft'),
      grid: { stroke: () => color('--line'), width: 1 },
      ticks: { stroke: () => color('--line'), width: 1 },
      values: (_plot, ticks) => ticks.map((tick) => number(tick)),
      ...more,
    });

    /** Makes `build(width)` draw into a figure, at its width, again when that or the theme changes. */
    function figure(title, build) {
      const holder = element('div', { class: 'plot' });
      const node = element('figure', {}, element('figcaption', {}, title), holder);
      const draw = () => {
        const plot = build(holder.clientWidth, holder);
        plots.push(plot);
        plot.ctx.canvas.setAttribute('role', 'img');
        new ResizeObserver(() => {
          if (holder.clientWidth > 0 && holder.clientWidth !== plot.width)
            plot.setSize({ width: holder.clientWidth, height: plot.height });
        }).observe(holder);
        return plot;
      };
      return { node, draw };
    }

    const describe = ({ label, values }) => {
      const known = values.filter((value) => value !== null);
      if (known.length === 0) return `${label}: nothing`;
      const most = known.reduce((a, b) => Math.max(a, b));
      return `${label}: ${number(known[0])} at first, ${number(most)} at most, ${number(known.at(-1))} at last`;
    };

    function chart({ title, unit, series }, operations) {
      const colors = series.map(({ real }, i) =>
        real ? '--real' : series[0].real ? '--series-1' : `--series-${i + 1}`,
      );
      const last = operations.findLastIndex((_, i) => series.some(({ values }) => values[i] !== null));
      // The real kernel's line is a broad band below: where both agree, both are seen.
      const line = ({ label, real }, i) => ({
        label,
        stroke: () => color(colors[i]),
        width: real ? 6 : 1.75,
        alpha: real ? 0.4 : 1,
        points: { show: false },
        spanGaps: false,
        value: (_plot, value) => number(value),
      });
      /** Without a cursor the legend tells the last values there are. */
      const rest = (plot) => plot.setLegend({ idx: last });
      const options = (width) => ({
        width,
        height: HEIGHT,
        cursor: { sync: { key: 'operations' }, points: { size: 6 } },
        legend: {
          markers: { width: 2, stroke: (_plot, i) => `var(${colors[i - 1] ?? '--soft'})`, dash: () => 'solid' },
        },
        scales: { x: { time: false }, y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.06 : 1] } },
        axes: [axis('recorded operations replayed', { size: 32 }), axis(unit, { size: 66 })],
        hooks: { ready: [rest] },
        series: [{ label: 'operations', value: (_plot, value) => number(value) }, ...series.map(line)],
      });
      return figure(title, (width, holder) => {
        const values = series.map((each) => each.values);
        const plot = new globalThis.uPlot(options(width), [operations, ...values], holder);
        plot.ctx.canvas.setAttribute('aria-label', `${title}, ${unit}. ${series.map(describe).join('. ')}.`);
        plot.over.addEventListener('mouseleave', () => rest(plot));
        return plot;
      });
    }

    const redraw = () => {
      for (const plot of plots) plot.redraw(false, true);
    };
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
    // Paper is white: its colours apply before the canvases are redrawn.
    addEventListener('beforeprint', () => {
      document.documentElement.dataset.paper = '';
      redraw();
    });
    addEventListener('afterprint', () => {
      delete document.documentElement.dataset.paper;
      redraw();
    });

    return { axis, figure, chart };
  })(),
);
