/** Measurements of requests for Prometheus, and the registry that a program adds its own to. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface RequestMetrics {
  readonly registry: Registry;
  /** A request has begun. */
  begin(): void;
  /** A request is over. `route` is a route's id, never a path: paths hold ids and would make endless series. */
  end(route: string, status: number, seconds: number): void;
}

export function requestMetrics(registry: Registry = new Registry()): RequestMetrics {
  const requests = new Counter({
    name: 'muster_http_requests_total',
    help: 'Requests answered, by route and status.',
    labelNames: ['route', 'status'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'muster_http_request_seconds',
    help: 'Time from the request line to the last byte of the reply.',
    labelNames: ['route'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  });
  const live = new Gauge({ name: 'muster_http_requests_live', help: 'Requests being answered, streams included.', registers: [registry] });
  return {
    registry,
    begin: () => live.inc(),
    end: (route, status, seconds) => {
      live.dec();
      requests.inc({ route, status });
      duration.observe({ route }, seconds);
    },
  };
}
