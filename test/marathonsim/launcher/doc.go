// Package launcher starts the tasks of a simulated cluster: it stands for what
// Mesos' agents and Docker do. A [Launcher] turns a [Task] into a [Process] that
// really listens on the ports Marathon reports.
//
// There are two launchers. [InProcess] makes every task a small server inside
// this process, cheap enough for thousands of tasks. [Local] looks at the image
// and the command and starts what comes nearest to them on a machine without
// images: redis-server, MariaDB, the command itself, or a server in this process.
//
// Everything a launcher starts ends with [Process.Stop] or [Process.Crash]; files
// of a task are removed when its process has ended.
package launcher
