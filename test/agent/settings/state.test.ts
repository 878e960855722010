import { describe, expect, it } from 'vitest'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'

const pod = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT_HTTPS: '443' }

describe('a state directory together with a state Secret', () => {
  it.each<[string, Environment, RegExp]>([
    [
      'the Secret that is used by default',
      { ...pod, TS_STATE_DIR: '/s' },
      /Secret "tailscale", which is used in Kubernetes unless TS_KUBE_SECRET is set: TS_STATE_DIR=\/s holds only/,
    ],
    [
      'a named Secret',
      { ...pod, TS_STATE_DIR: '/s', TS_KUBE_SECRET: 'a' },
      /identity is in the state Secret "a": .*TS_KUBE_SECRET to the empty text$/,
    ],
  ])('is warned of with %s', (_name, env, warning) => {
    expect(readSettings(env).warnings).toEqual([expect.stringMatching(warning)])
  })

  it.each<Environment>([pod, { TS_STATE_DIR: '/s' }, { ...pod, TS_STATE_DIR: '/s', TS_KUBE_SECRET: '' }])(
    'is not in %j',
    (env) => {
      expect(readSettings(env).warnings).toEqual([])
    },
  )
})
