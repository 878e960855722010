import { manyServices } from './many.ts'

manyServices(40)
