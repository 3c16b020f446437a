/** Ids in lower-case hexadecimal: 32 and 16 digits. */
export interface Trace { traceId: string; spanId?: string; }

export interface ClientOptions {
  /** Default: /run/midst-agent/push.sock */
  socketPath?: string;
  /** For the agent's status page, like "my-service 1.2". */
  resource?: string;
  /** 100 to 10000, default 1000. */
  flushIntervalMs?: number;
  /** Default 10000; one more goes to its family's overflow series. */
  maxSeries?: number;
}

export interface Stats {
  flushes: number; skippedFlushes: number; reconnects: number; sendErrors: number; bytesSent: number;
  rejectedSeries: number; overflowedSeries: number; isConnected: boolean;
}

declare class Metric<Self> {
  /** The series of these label values, in the order of the label names. */
  labels(...values: (string | number | boolean)[]): Self;
}

export declare class Counter extends Metric<Counter> {
  inc(amount?: number, trace?: Trace): void;
}

export declare class Gauge extends Metric<Gauge> {
  set(value: number): void;
  inc(amount?: number): void;
  dec(amount?: number): void;
  /** Takes the series off the page until it is set again. */
  remove(...values: (string | number | boolean)[]): void;
}

export declare class Histogram extends Metric<Histogram> {
  observe(value: number, trace?: Trace): void;
  /** Returns a function that observes the seconds since, and returns them. */
  startTimer(trace?: Trace): () => number;
}

export declare class Client {
  constructor(options?: ClientOptions);
  counter(name: string, help: string, labelNames?: string[]): Counter;
  gauge(name: string, help: string, labelNames?: string[], merge?: 'last' | 'sum' | 'min' | 'max'): Gauge;
  histogram(name: string, help: string, bounds?: number[], labelNames?: string[]): Histogram;
  /** Sends now; resolves to whether the agent has taken it within the time. */
  flush(timeoutMs?: number): Promise<boolean>;
  stats(): Stats;
  /** Sends the last totals, within 50 ms; called by itself when the process exits. */
  close(): void;
}
