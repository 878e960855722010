import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { IngressBed } from './ingress-bed.ts'
import { expectOneIssuer, killUnderLoad, restartUnderLoad } from './ingress-load.ts'

const backend = { name: 'web', port: 80 } as const

/** A group that serves one Ingress, `app`, with all waits at full length. */
async function start(): Promise<IngressBed> {
  const ingress = await IngressBed.start()
  printLogsOnFailure(ingress.bed)
  await ingress.add({ name: 'app', backend })
  await ingress.serves('app')
  await ingress.ready()
  return ingress
}

test('twenty rolling restarts under load: no request fails, and no certificate is issued', async () => {
  await using ingress = await start()
  await restartUnderLoad(ingress, 'app', 20)
  await expectOneIssuer(ingress, 1)
}, 3_600_000)

test('a hundred random kills under load: one issuer, and one certificate per name', async () => {
  await using ingress = await start()
  const kills = 20
  for (let names = 1; names <= 5; names += 1) {
    const victims = Array.from({ length: kills }, () => ingress.replicas[randomInt(ingress.replicas.length)]!)
    await killUnderLoad(ingress, 'app', victims)
    await expectOneIssuer(ingress, names)
    const name = `app-${names}`
    await ingress.add({ name, backend })
    await ingress.serves(name)
    expect(await ingress.get(ingress.clients[0]!, name)).toBe('web')
  }
  await expectOneIssuer(ingress, 6)
}, 3_600_000)
