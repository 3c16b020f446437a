// Counters, gauges and histograms of a Node program. The addon is midst_push.h and nothing more; what is comfortable is here.
'use strict';

const native = require(process.env.MIDST_PUSH_ADDON || './build/Release/midst_push.node');

const DEFAULT_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const MERGES = ['last', 'sum', 'min', 'max'];
const CACHED_SERIES = 10000; // as many as the library keeps by default
const clients = new Set();

function ids({ traceId, spanId = '0'.repeat(16) }) {
  if (!/^[0-9a-f]{32}$/.test(traceId) || !/^[0-9a-f]{16}$/.test(spanId)) {
    throw new TypeError('a trace is 32 hexadecimal digits of trace id and 16 of span id');
  }
  return Buffer.from(traceId + spanId, 'hex');
}

class Metric {
  #client;
  #family;
  #labelNames;
  #series;
  #children = new Map();

  constructor(client, family, labelNames, series) {
    this.#client = client;
    this.#family = family;
    this.#labelNames = labelNames;
    this.#series = series === undefined && labelNames.length === 0 ? native.seriesOf(family, []) : series;
  }

  labels(...values) {
    if (values.length !== this.#labelNames.length) {
      throw new TypeError(`${values.length} label values for the labels ${this.#labelNames}`);
    }
    const texts = values.map(String);
    const key = texts.join('\xff');
    let found = this.#children.get(key);
    if (found === undefined) {
      const series = this.#client.isOpen ? native.seriesOf(this.#family, texts) : null;
      found = new this.constructor(this.#client, this.#family, [], series);
      if (this.#children.size < CACHED_SERIES) this.#children.set(key, found);
    }
    return found;
  }

  /** The handle, null when it counts nowhere. */
  get series() {
    if (this.#series === undefined) throw new TypeError(`which series? labels ${this.#labelNames} are wanted`);
    return this.#client.isOpen ? this.#series : null;
  }

  removeSeries(values) {
    if (this.#client.isOpen) native.remove(this.#family, values.map(String));
  }
}

class Counter extends Metric {
  inc(amount = 1, trace) {
    if (trace) native.addExemplar(this.series, amount, ids(trace));
    else native.add(this.series, amount);
  }
}

class Gauge extends Metric {
  set(value) {
    native.set(this.series, value);
  }
  inc(amount = 1) {
    native.add(this.series, amount);
  }
  dec(amount = 1) {
    native.add(this.series, -amount);
  }
  remove(...values) {
    this.removeSeries(values);
  }
}

class Histogram extends Metric {
  observe(value, trace) {
    if (trace) native.observeExemplar(this.series, value, ids(trace));
    else native.observe(this.series, value);
  }
  startTimer(trace) {
    const start = process.hrtime.bigint();
    return () => {
      const seconds = Number(process.hrtime.bigint() - start) * 1e-9;
      this.observe(seconds, trace);
      return seconds;
    };
  }
}

class Client {
  #handle;
  #flushes = 0;
  #mustClose = false;

  constructor({ socketPath = '', resource = '', flushIntervalMs = 0, maxSeries = 0 } = {}) {
    this.#handle = native.open(socketPath, resource, flushIntervalMs, maxSeries);
    clients.add(this);
  }

  get isOpen() {
    return this.#handle !== null && !this.#mustClose;
  }

  #declare(declare, ...rest) {
    if (!this.isOpen) throw new TypeError('the client is closed');
    return declare(this.#handle, ...rest);
  }

  counter(name, help, labelNames = []) {
    return new Counter(this, this.#declare(native.counter, name, help, labelNames), labelNames);
  }

  gauge(name, help, labelNames = [], merge = 'sum') {
    if (!MERGES.includes(merge)) throw new TypeError(`merge is one of ${MERGES}`);
    return new Gauge(this, this.#declare(native.gauge, name, help, labelNames, MERGES.indexOf(merge)), labelNames);
  }

  histogram(name, help, bounds = DEFAULT_BOUNDS, labelNames = []) {
    return new Histogram(this, this.#declare(native.histogram, name, help, labelNames, bounds), labelNames);
  }

  async flush(timeoutMs = 1000) {
    if (!this.isOpen) return false;
    ++this.#flushes;
    try {
      return await native.flush(this.#handle, timeoutMs);
    } finally {
      if (--this.#flushes === 0 && this.#mustClose) this.#close();
    }
  }

  stats() {
    return native.stats(this.isOpen ? this.#handle : null);
  }

  close() {
    clients.delete(this);
    this.#mustClose = true;
    if (this.#flushes === 0) this.#close(); // else when the last of them has ended: they use the handle
  }

  #close() {
    native.close(this.#handle);
    this.#handle = null;
  }
}

process.on('exit', () => {
  for (const client of [...clients]) client.close();
});

module.exports = { Client, Counter, Gauge, Histogram };
