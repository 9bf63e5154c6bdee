package cause

// Fields of JSON values, in lower case and without punctuation.
const (
	// constantFields have values that programs choose.
	constantFields = ` schema service currency language locale type kind status event version method action level class category `
	codeFields     = ` country countrycode `
	// nameFields are those of which each word is the order's own; the ends of their names.
	nameFields = ` name firstname lastname surname city town region customer recipient `
	// addressFields are the beginnings of the names of those that have several values.
	addressFields = ` line street address `
	// dataFields have values that may look like those of constantFields.
	dataFields = ` sku id key note comment description email phone postalcode zip vatid linktoken reference owner number `
)

// Words before and after codes and numbers, in lower case.
const (
	// arabicPrefixes are written in front of a word without a space.
	arabicPrefixes = ` و ف ب ل ك ال لل بال وال وب ول `
	// codePrefixes begin codes that have a number.
	codePrefixes = `ORA|TNS|PLS|SQLSTATE|SQL|ERR|ERROR|E|EX|PG|HY|WSA|EAI|NDR|HTTP|SMTP|CODE|MSG|TLS|KAFKA`
	// codeWords are before codes, errorWords too, but not with a colon between.
	codeWords = ` code errno status sqlstate alert signal exit hresult http smtp statuscode errorcode rc reply answered returned ` +
		` код статус κωδικός κωδικος kod kód código codigo codice fehlercode statuscode رمز كود 代码 代號 代碼 错误码 錯誤碼 状态码 返回码 ` +
		` コード 코드 कोड รหัส `
	errorWords = ` error err fehler erreur errore błąd chyba ошибка помилка σφάλμα خطأ 错误 錯誤 エラー 오류 त्रुटि ข้อผิดพลาด exception ` +
		` fault `
	// otherCodes are not codes of causes when "code" follows them.
	otherCodes = ` zip postal post bar qr promo coupon discount voucher area product item tracking customer order reference country ` +
		` sort access pin почтовый поштовий ταχυδρομικός pocztowy 邮政 郵便 البريد `
	otherWords = ` postcode zipcode `
	currencies = ` eur usd gbp jpy cny chf pln czk sek nok dkk huf ron bgn uah rub try inr krw thb egp sar aed ils brl cad aud euro ` +
		` euros euroes zł руб грн лв kč kr ft lei ευρώ ريال درهم جنيه रुपये रु 元 円 원 บาท `
	// dateWords are months and days of the week.
	dateWords = ` january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept` +
		` oct nov dec januar februar märz mai juni juli oktober dezember jän mär okt dez janvier février mars avril juin juillet août septembre` +
		` octobre novembre décembre janv févr avr juil déc enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre` +
		` diciembre ene abr ago dic gennaio febbraio aprile maggio giugno luglio settembre ottobre novembre dicembre gen mag giu lug set ott` +
		` janeiro fevereiro março maio junho julho setembro outubro novembro dezembro fev out januari februari maart mei augustus stycznia` +
		` lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia января февраля марта апреля мая июня` +
		` июля августа сентября октября ноября декабря янв фев февр мар апр июн июл авг сен сент окт ноя нояб дек ιανουαρίου φεβρουαρίου` +
		` μαρτίου απριλίου μαΐου ιουνίου ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου νοεμβρίου δεκεμβρίου يناير فبراير مارس أبريل مايو يونيو` +
		` يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर monday tuesday` +
		` wednesday thursday friday saturday sunday mon tue wed thu fri sat sun montag dienstag mittwoch donnerstag freitag samstag sonntag` +
		` lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miércoles jueves viernes sábado domingo понедельник вторник` +
		` среда четверг пятница суббота воскресенье `
	durations = ` ns us µs μs ms s sec secs second seconds min mins minute minutes h hr hrs hour hours day days `
	units     = ` g kg mg t mm cm m km l ml s ms min h days hours minutes seconds bytes byte kb mb gb kib mib items item pieces ` +
		` pcs parcels orders lines records messages times x of eur usd gbp percent г кг мм см м шт руб γρ κιλά كغ غ जी ` +
		` ग्राम किग्रा `
	// identifierWords are before quoted names of a program.
	identifierWords = ` field key column property attribute parameter param variable function template method class type table executing ` +
		` header topic file module step option flag tag element relation constraint index schema of `
)

// reserved are words that messages consist of: such a word of a value is only replaced as a part of the
// whole value.
const reserved = ` a an and are as at be by can do for from go has have he if in is it me my no not of off ok on or out so the to ` +
	` too up us was we with you id ip api url access account action active address again all allowed already amount ` +
	` answer attempt available away bad bank base before begin begun between block blocked body book box broken busy ` +
	` cancel cannot card carrier center check city class client close closed code connection content control copy ` +
	` country customer data date day dead deadline decode delivery denied depot detail device disk does down due ` +
	` duplicate email empty encoding end error event exceeded exceeds exist exists expired express fail failed failure ` +
	` field file final find first for forbidden found free full gateway gone good grant group has heavy high host ` +
	` house index input internal invalid invoice issue item items job key lane language large last late left letter ` +
	` level limit line link list load local lock long lost low mail mailbox main mark maximum message method minimum ` +
	` missing mode name network new next none note null number offset old open order out over own page panic parcel ` +
	` park part partition path pay payment permanent phone place plan point policy pool port post postal price print ` +
	` product proxy quota rate read reason receipt recipient record refused region rejected relay remote render reply ` +
	` request reset rest retry return road route row rule sale save schema seal second send sender sent server service ` +
	` session ship shipping shop short size small spam square standard state station status step stock stop storage ` +
	` store street strong such system table tax template temporary test text time timeout today token topic total town ` +
	` transaction transient try type unable unavailable unit unknown unreachable update user valid value van vat ` +
	` version wait waiting way weight when will with word work worker write wrong year zip zone straße strasse weg ` +
	` platz allee rue place avenue boulevard chemin calle plaza via viale piazza corso ulica aleja plac haus hof und ` +
	` von der die das den dem des del los las les de la le el di da du dos et y e im am zu für nicht kein keine ist ` +
	` wird wurde nicht na w z i do od nie jest улица ул проспект пр дом д кв квартира переулок площадь и в во на не ` +
	` нет из за по для от до с со к об он адрес город заказ клиент почта ящик οδος οδός πλατεία λεωφόρος και το η ο ` +
	` του της στο στη δεν να για με από شارع ميدان طريق في من إلى على لا غير عن मार्ग सड़क गली रोड में से को का की के ` +
	` नहीं है और पर `
