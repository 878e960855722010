/** The image of the process that holds a Pod's namespaces. */
export const pauseImage = 'lab.test/pause:1'

/** A small image for tests: busybox's programs, and `echo-server NAME PORT…`, the backend for `ask`. */
export const toolsImage = 'lab.test/tools:1'
