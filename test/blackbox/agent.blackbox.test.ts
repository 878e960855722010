import { describe, test } from 'vitest'
import { playScenario } from './scenario.ts'
import { endpoints } from './scenarios/endpoints.ts'
import { failures, refusals, signals } from './scenarios/exits.ts'
import { flags } from './scenarios/flags.ts'
import { ofGenerations } from './scenarios/generations.ts'
import { kernel } from './scenarios/kernel.ts'
import { lasting } from './scenarios/lasting.ts'
import { log } from './scenarios/log.ts'
import { login } from './scenarios/login.ts'
import { inOneStep } from './scenarios/one-step.ts'
import { secret } from './scenarios/secret.ts'
import { serve } from './scenarios/serve.ts'
import { servicesAndEgress } from './scenarios/services.ts'

// Scenarios with counterparts in upstream's test suite have the same names.
const tables = {
  login,
  kernel,
  secret,
  inOneStep,
  endpoints,
  signals,
  refusals,
  failures,
  lasting,
  servicesAndEgress,
  serve,
  flags,
  log,
  ofGenerations,
}

describe.concurrent.each(Object.entries(tables))('%s', (_name, scenarios) => {
  test.each(Object.entries(scenarios))('%s', async (_scenario, scenario) => playScenario(scenario))
})
