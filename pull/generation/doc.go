// Package generation keeps, for each container, which images it ran, runs and may go back to, and takes several
// containers from one image to the next as one transaction.
//
//	/var/lib/syscontainer/containers/NAME/
//	    generations/N       symbolic link to ../../../images/SHA256: the image stays
//	    generations/N.json  Record
//	    current, previous   symbolic links to generations/N
//	    hold                there: no update by itself
//	/var/lib/syscontainer/updates/ID.json    Update
//
// An update goes
//
//	locked, err := generation.Lock(ctx, root, nil, names...)
//	defer locked.Release()
//	_, err = locked.Adopt(name, record)     // the container has no generation, or runs another image
//	update, err := locked.Begin(generation.Update{…})
//	…                                       // fetch the images, without moving references; prune spares them
//	err = update.Switch()                   // the next start runs the new images
//	…                                       // restart what was active, and judge
//	err = update.Good(publish)              // or:
//	err = update.Back(reason, failed...)    // the next start runs the old ones
//	…                                       // restart what was active
//	err = update.Returned()
//
// and may be dropped by Abandon before Switch, and left unjudged by Leave after it. What was interrupted Unfinished
// finds, and Locked.Resume goes on with: each of the steps above may be repeated.
//
// # Promises
//
// Everything is written beside, made durable, and renamed, and a record is complete before a link leads to it. After a
// kill or a power cut at any point a container's current generation is the old one or the new one, whole, and the
// update's record says what is to be done. What cannot be read is never overwritten, and never taken for absent.
//
// Who changes a container's generations holds its lock, which is that of one process: see Lock.
package generation
