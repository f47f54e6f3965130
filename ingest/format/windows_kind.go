package format

import "github.com/tocsin-siem/tocsin/event"

// winKinds is what becomes of the kinds of event that have a class. Numbers are those of Microsoft's documentation of Sysmon and of the audit events.
var winKinds = map[winKey]winKind{
	{winSysmon, 1}:  {event.ClassProcess, processLaunch, sysmonLaunch},
	{winSysmon, 2}:  {event.ClassFile, fileSetAttributes, sysmonFile},
	{winSysmon, 3}:  {event.ClassNetwork, netOpen, sysmonConnection},
	{winSysmon, 5}:  {event.ClassProcess, processTerminate, sysmonTerminate},
	{winSysmon, 6}:  {event.ClassDriver, moduleLoad, sysmonModule},
	{winSysmon, 7}:  {event.ClassModule, moduleLoad, sysmonModule},
	{winSysmon, 8}:  {event.ClassProcess, processInject, sysmonTwo},
	{winSysmon, 9}:  {event.ClassFile, fileRead, sysmonRawRead},
	{winSysmon, 10}: {event.ClassProcess, processOpen, sysmonTwo},
	{winSysmon, 11}: {event.ClassFile, fileCreate, sysmonFile},
	{winSysmon, 12}: {event.ClassRegistryKey, keyModify, sysmonRegistry},
	{winSysmon, 13}: {event.ClassRegistryValue, valueSet, sysmonRegistry},
	{winSysmon, 14}: {event.ClassRegistryKey, keyRename, sysmonRegistry},
	{winSysmon, 15}: {event.ClassFile, fileCreate, sysmonFile},
	{winSysmon, 17}: {event.ClassFile, fileCreate, sysmonPipe},
	{winSysmon, 18}: {event.ClassFile, fileOpen, sysmonPipe},
	{winSysmon, 22}: {event.ClassDNS, dnsQuery, sysmonDNS},
	{winSysmon, 23}: {event.ClassFile, fileDelete, sysmonFile},
	{winSysmon, 25}: {event.ClassProcess, processInject, sysmonTamper},
	{winSysmon, 26}: {event.ClassFile, fileDelete, sysmonFile},
	{winSysmon, 27}: {event.ClassFile, fileCreate, sysmonBlocked},
	{winSysmon, 28}: {event.ClassFile, fileDelete, sysmonBlocked},
	{winSysmon, 29}: {event.ClassFile, fileCreate, sysmonFile},

	{winSecurity, 4624}: {event.ClassAuthentication, authLogon, logon},
	{winSecurity, 4625}: {event.ClassAuthentication, authLogon, logonFailed},
	{winSecurity, 4634}: {event.ClassAuthentication, authLogoff, logoff},
	{winSecurity, 4647}: {event.ClassAuthentication, authLogoff, logoff},
	{winSecurity, 4648}: {event.ClassAuthentication, authLogon, explicitLogon},
	{winSecurity, 4672}: {event.ClassAuthorizeSession, accessAssign, specialPrivileges},
	{winSecurity, 4768}: {event.ClassAuthentication, authTicket, kerberos},
	{winSecurity, 4769}: {event.ClassAuthentication, authServiceTicket, kerberos},
	{winSecurity, 4770}: {event.ClassAuthentication, authServiceRenew, kerberos},
	{winSecurity, 4771}: {event.ClassAuthentication, authPreauth, kerberos},
	{winSecurity, 4776}: {event.ClassAuthentication, authLogon, ntlm},
	{winSecurity, 4778}: {event.ClassRDP, rdpReconnect, remoteDesktop},
	{winSecurity, 4779}: {event.ClassRDP, rdpDisconnect, remoteDesktop},

	{winSecurity, 4688}: {event.ClassProcess, processLaunch, securityLaunch},
	{winSecurity, 4689}: {event.ClassProcess, processTerminate, securityTerminate},

	{winSecurity, 4720}: {event.ClassAccountChange, accountCreate, accountChange},
	{winSecurity, 4722}: {event.ClassAccountChange, accountEnable, accountChange},
	{winSecurity, 4723}: {event.ClassAccountChange, accountPassword, accountChange},
	{winSecurity, 4724}: {event.ClassAccountChange, accountReset, accountChange},
	{winSecurity, 4725}: {event.ClassAccountChange, accountDisable, accountChange},
	{winSecurity, 4726}: {event.ClassAccountChange, accountDelete, accountChange},
	{winSecurity, 4738}: {event.ClassAccountChange, activityOther, accountChange},
	{winSecurity, 4740}: {event.ClassAccountChange, accountLock, accountChange},
	{winSecurity, 4741}: {event.ClassAccountChange, accountCreate, accountChange},
	{winSecurity, 4742}: {event.ClassAccountChange, activityOther, accountChange},
	{winSecurity, 4743}: {event.ClassAccountChange, accountDelete, accountChange},
	{winSecurity, 4767}: {event.ClassAccountChange, accountUnlock, accountChange},
	{winSecurity, 4781}: {event.ClassAccountChange, activityOther, accountChange},

	{winSecurity, 4727}: {event.ClassGroupManagement, groupCreate, groupChange},
	{winSecurity, 4728}: {event.ClassGroupManagement, groupAddUser, groupChange},
	{winSecurity, 4729}: {event.ClassGroupManagement, groupRemove, groupChange},
	{winSecurity, 4730}: {event.ClassGroupManagement, groupDelete, groupChange},
	{winSecurity, 4731}: {event.ClassGroupManagement, groupCreate, groupChange},
	{winSecurity, 4732}: {event.ClassGroupManagement, groupAddUser, groupChange},
	{winSecurity, 4733}: {event.ClassGroupManagement, groupRemove, groupChange},
	{winSecurity, 4734}: {event.ClassGroupManagement, groupDelete, groupChange},
	{winSecurity, 4735}: {event.ClassGroupManagement, activityOther, groupChange},
	{winSecurity, 4737}: {event.ClassGroupManagement, activityOther, groupChange},
	{winSecurity, 4746}: {event.ClassGroupManagement, groupAddUser, groupChange},
	{winSecurity, 4747}: {event.ClassGroupManagement, groupRemove, groupChange},
	{winSecurity, 4751}: {event.ClassGroupManagement, groupAddUser, groupChange},
	{winSecurity, 4752}: {event.ClassGroupManagement, groupRemove, groupChange},
	{winSecurity, 4754}: {event.ClassGroupManagement, groupCreate, groupChange},
	{winSecurity, 4755}: {event.ClassGroupManagement, activityOther, groupChange},
	{winSecurity, 4756}: {event.ClassGroupManagement, groupAddUser, groupChange},
	{winSecurity, 4757}: {event.ClassGroupManagement, groupRemove, groupChange},
	{winSecurity, 4758}: {event.ClassGroupManagement, groupDelete, groupChange},

	{winSecurity, 4656}: {event.ClassFile, fileOpen, objectAccess},
	{winSecurity, 4657}: {event.ClassRegistryValue, valueSet, objectAccess},
	{winSecurity, 4663}: {event.ClassFile, fileOpen, objectAccess},
	{winSecurity, 5140}: {event.ClassSMB, smbOpen, share},
	{winSecurity, 5145}: {event.ClassSMB, smbOpen, share},

	{winSecurity, 5154}: {event.ClassNetwork, netListen, filtering},
	{winSecurity, 5155}: {event.ClassNetwork, netListen, filtering},
	{winSecurity, 5156}: {event.ClassNetwork, netOpen, filtering},
	{winSecurity, 5157}: {event.ClassNetwork, netRefuse, filtering},
	{winSecurity, 5158}: {event.ClassNetwork, activityOther, filtering},
	{winSecurity, 5159}: {event.ClassNetwork, activityOther, filtering},

	{winSecurity, 1102}: {event.ClassEventLog, logClear, logCleared},
	{winEventLog, 1102}: {event.ClassEventLog, logClear, logCleared},
	{winEventLog, 104}:  {event.ClassEventLog, logClear, logCleared},

	{winSecurity, 4697}: {event.ClassWindowsService, serviceCreate, service},
	{winServices, 7045}: {event.ClassWindowsService, serviceCreate, service},

	{winSecurity, 4698}: {event.ClassJob, jobCreate, task},
	{winSecurity, 4699}: {event.ClassJob, jobDelete, task},
	{winSecurity, 4700}: {event.ClassJob, jobEnable, task},
	{winSecurity, 4701}: {event.ClassJob, jobDisable, task},
	{winSecurity, 4702}: {event.ClassJob, jobUpdate, task},
	{winTasks, 106}:     {event.ClassJob, jobCreate, task},
	{winTasks, 140}:     {event.ClassJob, jobUpdate, task},
	{winTasks, 141}:     {event.ClassJob, jobDelete, task},

	{winPowerShell, 4103}: {event.ClassScript, scriptExecute, script},
	{winPowerShell, 4104}: {event.ClassScript, scriptExecute, script},

	{winDefender, 1006}: {event.ClassDetection, findingCreate, defender},
	{winDefender, 1015}: {event.ClassDetection, findingCreate, defender},
	{winDefender, 1116}: {event.ClassDetection, findingCreate, defender},
	{winDefender, 1117}: {event.ClassDetection, findingUpdate, defender},
	{winDefender, 1118}: {event.ClassDetection, findingUpdate, defender},
	{winDefender, 1119}: {event.ClassDetection, findingUpdate, defender},
}

// Activities that no other format has.
const (
	authServiceRenew = 5

	rdpDisconnect = 7
	rdpReconnect  = 8
	smbOpen       = 2
	netListen     = 7
	logClear      = 1
	findingCreate = 1
	findingUpdate = 2
	serviceCreate = 1
	scriptExecute = 1

	jobCreate  = 1
	jobUpdate  = 2
	jobDelete  = 3
	jobEnable  = 4
	jobDisable = 5
)
