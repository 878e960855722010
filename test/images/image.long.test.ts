import { expect, test, vi } from 'vitest'
import { buildImage } from '../lab/images/image.ts'

test('a build without changes gives the same image', async () => {
  vi.stubEnv('CULVERT_TEST_IMAGES', '')
  expect(await buildImage()).toEqual(await buildImage())
})
