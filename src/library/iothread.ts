/**
 * The package's I/O worker: the iothread's event loop, the serving side of the devices, and the disks. A file of its own,
 * iothread.js, which the main entry starts.
 */
import * as Comlink from "comlink";
import { reportRejections } from "../machine/report.ts";
import { announceWorker } from "../machine/worker_life.ts";
import { DiskHost } from "./disk_host.ts";

reportRejections();
Comlink.expose(new DiskHost());
announceWorker();
