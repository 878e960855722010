import { running } from '../localapi.ts'
import { inMemory, type Scenarios, tailscaled, up, userspace } from './common.ts'

const start = [tailscaled(inMemory, userspace), up('--accept-dns=false')]
const local = { TS_LOCAL_ADDR_PORT: '[::]:{port}' } as const
const metrics = '{port}/metrics'
const health = '{port}/healthz'

/** The HTTP endpoints, before the node runs and afterwards. */
export const endpoints: Scenarios = {
  'no_args listens nowhere': {
    env: local,
    phases: [
      { runs: start, answers: { [metrics]: 0, [health]: 0 } },
      { send: running(), answers: { [metrics]: 0, [health]: 0 } },
    ],
  },
  metrics_enabled: {
    env: { ...local, TS_ENABLE_METRICS: 'true' },
    phases: [
      { runs: start, answers: { [metrics]: 200, [health]: 404 } },
      { send: running(), answers: { [metrics]: 200, [health]: 404 } },
    ],
  },
  health_enabled: {
    env: { ...local, TS_ENABLE_HEALTH_CHECK: 'true' },
    phases: [
      { runs: start, answers: { [metrics]: 404, [health]: 503 } },
      { send: running(), answers: { [metrics]: 404, [health]: 200 } },
    ],
  },
  metrics_and_health_on_same_port: {
    env: { ...local, TS_ENABLE_METRICS: 'true', TS_ENABLE_HEALTH_CHECK: 'true' },
    phases: [
      { runs: start, answers: { [metrics]: 200, [health]: 503 } },
      { send: running(), answers: { [metrics]: 200, [health]: 200 } },
    ],
  },
  local_metrics_and_deprecated_health: {
    env: { ...local, TS_ENABLE_METRICS: 'true', TS_HEALTHCHECK_ADDR_PORT: '[::]:{older port}' },
    phases: [
      { runs: start, answers: { [metrics]: 200, '{older port}/healthz': 503 } },
      { send: running(), answers: { [metrics]: 200, '{older port}/healthz': 200 } },
    ],
  },
}
