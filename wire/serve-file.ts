import type { Rejection } from './rejection.ts'
import type { ServeConfig } from './serve-config.ts'

/** What the mounted serve config says. */
export type ServeFile = {
  /** All that can be used of it; names may hold `${TS_CERT_DOMAIN}`. What is rejected is as it was when it was last good. */
  readonly config: ServeConfig
  readonly rejections: readonly Rejection[]
  /** What is passed over, at no cost. */
  readonly warnings: readonly Rejection[]
}
