import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { TaggedApi } from '../../localapi/client.ts'
import { getServeConfig, setServeConfig } from '../../localapi/serve-config.ts'
import { serveConfig } from '../wire/documents.ts'

const { signal } = new AbortController()

it('the serve config sent to tailscaled reads back as written', async () => {
  let held = 'null'
  const api: TaggedApi = {
    getTagged: async () => ({ text: held, etag: 'tag' }),
    replace: async (_path, value) => {
      held = JSON.stringify(value)
    },
  }
  await fc.assert(
    fc.asyncProperty(serveConfig, async (config) => {
      await setServeConfig(api, config, 'tag', signal)
      expect(await getServeConfig(api, signal)).toEqual({ config, etag: 'tag' })
    }),
  )
})
